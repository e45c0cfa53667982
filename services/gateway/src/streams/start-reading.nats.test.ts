import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { closeNats, connectNats, type NatsConnection, onReconnect } from '@youworker/messaging/connection/connect'
import { publishLive, subscribeLive } from '@youworker/messaging/live/live'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RequestContext } from '../http/request-context.ts'
import type { EntrySourceOf } from './entry-source.ts'
import { RunReader } from './run-reader.ts'
import { startReading } from './start-reading.ts'

let server: TestNats
let nats: NatsConnection
beforeAll(async () => {
  server = await testNats()
  nats = await connectNats({ url: server.url, service: 'gateway', logger: silentLogger() })
})
afterAll(async () => {
  await closeNats(nats)
  await server[Symbol.asyncDispose]()
})

const token = (n: number): RunEntry => ({ n, body: { event: 'token', data: { text: `${n} ` } } })
const START = [1, 2]
const ATTEMPT = [1_000_001, 1_000_002, 1_000_003]

/** Runs whose logs are arrays here and whose live subjects are real. */
function runs() {
  const logs = new Map<string, RunEntry[]>()
  /** Ids of the runs whose log was read. */
  const pages: string[] = []
  const sourceOf: EntrySourceOf = (runId) => ({
    async readPage(after) {
      pages.push(runId)
      return { entries: (logs.get(runId) ?? []).filter(({ n }) => n > after), more: false, status: 'running' }
    },
    subscribe: (listener) => subscribeLive(nats, runId, listener),
    onReconnect: (listener) => onReconnect(nats, listener),
  })
  const write = (runId: string, n: number, { lost = false } = {}) => {
    logs.set(runId, [...(logs.get(runId) ?? []), token(n)])
    if (!lost) publishLive(nats, runId, token(n))
  }
  return { pages, sourceOf, write }
}

/** Reads until the last entry of the attempt. */
async function readAll({ source, liveFrom }: Pick<Awaited<ReturnType<typeof startReading>>, 'source' | 'liveFrom'>) {
  const read: number[] = []
  const stop = new AbortController()
  const writer = {
    write({ n }: RunEntry) {
      read.push(n)
      if (n === ATTEMPT.at(-1)) stop.abort()
    },
    isFull: false,
    drained: () => Promise.resolve(),
    onOutage: () => undefined,
  }
  await new RunReader(source, writer, { after: 0, signal: stop.signal, begun: true, liveFrom }).run()
  return read
}

const context = {} as RequestContext

test('a started run is read live from its first entry on, and its log is not read', async () => {
  const { pages, sourceOf, write } = runs()
  const reading = await startReading(sourceOf, context, async (run_id) => {
    for (const n of START) write(run_id, n)
    // The first attempt may begin before the start is answered.
    write(run_id, ATTEMPT[0] ?? 0)
    await nats.core.flush()
    return { run_id, last_entry: 2 }
  })
  for (const n of ATTEMPT.slice(1)) write(reading.started.run_id, n)
  expect(await readAll(reading)).toEqual([...START, ...ATTEMPT])
  expect(pages).toEqual([])
})

test.each([...START, ...ATTEMPT.slice(0, 2)])('when live entry %i is lost it is read from the log', async (lost) => {
  const { pages, sourceOf, write } = runs()
  const reading = await startReading(sourceOf, context, async (run_id) => {
    for (const n of START) write(run_id, n, { lost: n === lost })
    return { run_id, last_entry: 2 }
  })
  for (const n of ATTEMPT) write(reading.started.run_id, n, { lost: n === lost })
  expect(await readAll(reading)).toEqual([...START, ...ATTEMPT])
  expect(pages.length).toBeGreaterThan(0)
})

test('a repeated request reads the log of the run that it started before', async () => {
  const { pages, sourceOf, write } = runs()
  const run_id = newId()
  for (const n of [...START, ...ATTEMPT]) write(run_id, n)
  const reading = await startReading(sourceOf, context, async () => ({ run_id, last_entry: 2 }))
  expect(await readAll(reading)).toEqual([...START, ...ATTEMPT])
  expect(pages).toEqual([run_id])
})

test('a service of an earlier version, which chooses the id itself, is read from the log', async () => {
  const { pages, sourceOf, write } = runs()
  const reading = await startReading(sourceOf, context, async (proposed) => {
    write(proposed, 1)
    return { run_id: proposed }
  })
  for (const n of [2, ...ATTEMPT]) write(reading.started.run_id, n)
  expect(await readAll(reading)).toEqual([...START, ...ATTEMPT])
  expect(pages.length).toBeGreaterThan(0)
})

test('an error of the start is passed on, and nobody listens any more', async () => {
  const { sourceOf, write } = runs()
  const heard: string[] = []
  const spied: EntrySourceOf = (runId, of) => {
    const source = sourceOf(runId, of)
    return { ...source, subscribe: (listener) => source.subscribe((entry, bytes) => (heard.push(runId), listener(entry, bytes))) }
  }
  let id = ''
  const failing = startReading(spied, context, async (run_id) => {
    id = run_id
    throw new Error('refused')
  })
  await expect(failing).rejects.toThrow('refused')
  write(id, 1)
  await nats.core.flush()
  expect(heard).toEqual([])
})

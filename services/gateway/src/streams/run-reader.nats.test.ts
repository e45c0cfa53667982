import type { RunEntry } from '@youworker/contracts/agent/run-log'
import type { Status } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { closeNats, connectNats, type NatsConnection, onReconnect } from '@youworker/messaging/connection/connect'
import { type LiveListener, publishLive, subscribeLive } from '@youworker/messaging/live/live'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunReader } from './run-reader.ts'

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

const n = (attempt: number, index: number) => attempt * 1_000_000 + index
const token = (attempt: number, index: number): RunEntry => ({
  n: n(attempt, index),
  body: { event: 'token', data: { text: `${attempt}.${index} ` } },
})
const done = (attempt: number, index: number): RunEntry => ({
  n: n(attempt, index),
  body: {
    event: 'done',
    data: {
      content: '',
      citations: [],
      metadata: {
        iterations: 1,
        tool_calls: 0,
        status: 'success',
        session_id: newId(),
        session_external_id: 'x',
        session_title: null,
        model: 'm',
        tokens_in: 0,
        tokens_out: 0,
        ttft_ms: null,
        duration_ms: 0,
      },
      tool_events: [],
      logs: [],
    },
  },
})

interface Start {
  after?: number
  begun?: boolean
  log?: RunEntry[]
  status?: Status
  failure?: Error
}

/** Reads a run whose log is an array here and whose live subject is real. */
function start({ after = 0, begun = false, log = [], status = 'running', failure }: Start = {}) {
  const runId = newId()
  const stop = new AbortController()
  const state = { status, pages: 0, failure, outages: 0 }
  const client = { isFull: false, read: () => undefined as void }
  const read: number[] = []
  const source = {
    async readPage(from: number) {
      state.pages++
      if (state.failure) throw state.failure
      const entries = log.filter((entry) => entry.n > from).slice(0, 3)
      return { entries, more: log.some((entry) => entry.n > (entries.at(-1)?.n ?? from)), status: state.status }
    },
    subscribe: (listener: LiveListener) => subscribeLive(nats, runId, listener),
    onReconnect: (listener: () => void) => onReconnect(nats, listener),
  }
  const writer = {
    write: (entry: RunEntry) => void read.push(entry.n),
    get isFull() {
      return client.isFull
    },
    drained: () => (client.isFull ? new Promise<void>((resolve) => (client.read = resolve)) : Promise.resolve()),
    onOutage: () => void state.outages++,
  }
  const reading = new RunReader(source, writer, { after, signal: stop.signal, begun }).run()
  reading.catch(() => undefined)
  const live = (entry: RunEntry) => publishLive(nats, runId, entry)
  const both = (entry: RunEntry) => {
    log.push(entry)
    live(entry)
  }
  const caughtUp = () => waitFor(() => state.pages > 0, { what: 'the first page' })
  const goOn = () => {
    client.isFull = false
    client.read()
  }
  return { log, live, both, read, state, reading, stop, caughtUp, client, goOn }
}

test('a finished run is read from the log, page by page', async () => {
  const run = start({ log: [...[1, 2, 3, 4, 5, 6, 7].map((index) => token(1, index)), done(1, 8)] })
  await run.reading
  expect(run.state.pages).toBe(3)
  expect(run.read).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((index) => n(1, index)))
})

test('live entries are written at once, repeated ones once, and lost ones are read from the log', async () => {
  const run = start()
  await run.caughtUp()
  run.both(token(1, 1))
  run.both(token(1, 2))
  run.live(token(1, 2))
  run.log.push(token(1, 3), token(1, 4))
  run.both(token(1, 5))
  run.both(done(1, 6))
  await run.reading
  expect(run.read).toEqual([1, 2, 3, 4, 5, 6].map((index) => n(1, index)))
})

test('an entry that is received before its predecessors are persisted waits for them', async () => {
  const run = start()
  await run.caughtUp()
  run.live(token(1, 3))
  run.live(done(1, 4))
  const before = run.state.pages
  await waitFor(() => run.state.pages > before + 1, { what: 'another read' })
  run.log.push(token(1, 1), token(1, 2))
  await run.reading
  expect(run.read).toEqual([1, 2, 3, 4].map((index) => n(1, index)))
})

test('a takeover is written after everything that was persisted before it', async () => {
  const run = start()
  await run.caughtUp()
  run.both(token(1, 1))
  await waitFor(() => run.read.length === 1, { what: 'the first token' })
  run.log.push(token(1, 2))
  run.live({ n: n(2, 1), body: { event: 'rewind', data: { offset: 8 } } })
  run.live(token(1, 3))
  run.log.push({ n: n(2, 1), body: { event: 'rewind', data: { offset: 8 } } })
  run.both(done(2, 2))
  await run.reading
  expect(run.read.filter((number) => number !== n(1, 3))).toEqual([n(1, 1), n(1, 2), n(2, 1), n(2, 2)])
  expect(run.read).toEqual([...run.read].sort((a, b) => a - b))
})

test('the log is read again after a quiet time: a lost `done` still ends the stream', async () => {
  const run = start()
  await run.caughtUp()
  run.log.push(done(1, 1))
  await run.reading
  expect(run.read).toEqual([n(1, 1)])
})

test('a resume after the end, and a run that ended without `done`, end', async () => {
  const run = start({ after: n(1, 9), log: [done(1, 9)], status: 'success' })
  await run.reading
  expect(run.read).toEqual([])
})

test('the first page decides whether there is a stream at all', async () => {
  for (const code of ['RUN_NOT_FOUND', 'SERVICE_UNAVAILABLE'] as const) {
    const run = start({ failure: new AppError(code, 'refused') })
    await expect(run.reading).rejects.toMatchObject({ code })
    expect(run.state.pages).toBe(1)
  }
})

test('an outage of the owner is waited for and reported once', async () => {
  const run = start({ begun: true, failure: new AppError('SERVICE_UNAVAILABLE', 'unavailable') })
  await waitFor(() => run.state.pages >= 2, { what: 'the second try' })
  expect(run.state.outages).toBe(1)
  run.state.failure = undefined
  run.log.push(done(1, 1))
  await run.reading
  expect(run.read).toEqual([n(1, 1)])
})

test('a caller who may no longer read the run gets an error', async () => {
  const run = start()
  await run.caughtUp()
  run.state.failure = new AppError('NOT_AUTHENTICATED', 'signed out')
  await expect(run.reading).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
})

test('for a client that is waited for a moment entries wait; the log is not read', async () => {
  const run = start()
  await run.caughtUp()
  run.both(token(1, 1))
  await waitFor(() => run.read.length === 1, { what: 'the first token' })
  const before = run.state.pages
  run.client.isFull = true
  run.both(token(1, 2))
  run.both(token(1, 3))
  await nats.core.flush()
  expect(run.read).toEqual([n(1, 1)])
  run.goOn()
  await waitFor(() => run.read.length === 3, { what: 'those that waited' })
  expect(run.state.pages).toBe(before)
  run.both(done(1, 4))
  await run.reading
  expect(run.read).toEqual([1, 2, 3, 4].map((index) => n(1, index)))
})

test('for a client that does not read nothing is kept: what it missed is read from the log', async () => {
  const run = start()
  await run.caughtUp()
  run.both(token(1, 1))
  await waitFor(() => run.read.length === 1, { what: 'the first token' })
  run.client.isFull = true
  for (let index = 2; index <= 1_000; index += 1) run.both(token(1, index))
  run.both(done(1, 1_001))
  await nats.core.flush()
  run.goOn()
  await run.reading
  expect(run.read).toEqual(Array.from({ length: 1_001 }, (_, index) => n(1, index + 1)))
})

test('an aborted reading ends at once', async () => {
  const run = start()
  await run.caughtUp()
  run.stop.abort()
  await run.reading
  run.live(token(1, 1))
  expect(run.read).toEqual([])
})

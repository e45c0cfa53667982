import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Endpoints, spawnStart } from './support/spawned-house.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker start '))
  await mkdir(join(dir, 'files/notes'), { recursive: true })
  await writeFile(join(dir, 'files/notes/bees.md'), '# Bees\n\nA bee visits about two thousand flowers a day.\n')
  await writeFile(
    join(dir, 'files/whales.html'),
    '<html><head><title>Whales</title></head><body><p>A blue whale eats four tonnes of krill a day.</p></body></html>',
  )
  await writeFile(
    join(dir, 'files/owls.pdf'),
    samplePdf([['Preface.'], ['An owl turns its head by two hundred and seventy degrees.']], 'Owls'),
  )
  await writeFile(join(dir, 'files/broken.pdf'), '%PDF-1.7 and nothing')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** `--once` in a fresh data folder, with paths relative to the caller's folder. */
async function once(name: string, ...args: string[]) {
  const started = spawnStart(
    ['--once', '--data', join(dir, name), ...args],
    { OFFLINE_MODEL__TOKENS_PER_SECOND: '0' },
    join(dir, 'files'),
  )
  return { code: await started.exit, output: started.output() }
}

const gone = (pid: number) => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

test('answers from a folder and a file, with title and page', async () => {
  const bees = await once('a', 'notes', 'whales.html', '--ask', 'How many flowers does a bee visit a day?')
  expect(bees.output).toMatch(/two thousand flowers[\s\S]*Sources:\s+\[1\] Bees/)
  expect(bees.code).toBe(0)
  const owls = await once('a', 'owls.pdf', '--ask', 'By how many degrees does an owl turn its head?')
  expect(owls.output).toMatch(/Sources:\s+\[1\] Owls, page 2|Sources:\s+\[1\] Owls, 2/)
  expect(owls.code).toBe(0)
}, 180_000)

test('exit codes say what happened', async () => {
  const failed = await once('b', 'broken.pdf', 'whales.html', '--ask', 'How much krill does a whale eat?')
  expect([failed.code, failed.output]).toEqual([2, expect.stringContaining('broken.pdf')])
  const uncited = await once('b', 'whales.html', '--ask', 'zzz qqq xxx?')
  expect(uncited.code, uncited.output).toBe(3)
  const missing = await once('b', 'no-such-folder', '--ask', 'x?')
  expect([missing.code, missing.output]).toEqual([1, expect.stringContaining('no-such-folder')])
  const qdrant = spawnStart(['--once', '--data', join(dir, 'q')], { LLM__QDRANT_URL: 'http://127.0.0.1:6333' })
  expect([await qdrant.exit, qdrant.output()]).toEqual([1, expect.stringMatching(/comes later/)])
}, 180_000)

test('one process: status, restart of what was killed, stop; nothing is left', async () => {
  const data = join(dir, 'c')
  const house = spawnStart(['--single-process', '--no-demo', '--data', data])
  const endpoints = await waitFor(async () => JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8')) as Endpoints, {
    what: 'endpoints.json',
    timeoutMs: 60_000,
  })
  expect((await stat(join(data, 'endpoints.json'))).mode & 0o777).toBe(0o600)
  expect(endpoints.processes.map(({ name }) => name).sort()).toEqual(['nats', 'offline-model', 'postgres', 'youworker.1'])
  const status = spawnStart(['status', '--data', data])
  expect(await status.exit).toBe(0)
  for (const { name } of endpoints.processes) expect(status.output()).toContain(name)

  const nats = endpoints.processes.find(({ name }) => name === 'nats')?.pid ?? 0
  process.kill(nats, 'SIGKILL')
  await waitFor(() => /nats.*(again|restart)/i.test(house.output()), { what: 'the line about the restart' })
  await waitFor(async () => (await fetch(`${endpoints.api}/health/ready`)).ok, { what: 'readiness after the restart of NATS' })

  const stop = spawnStart(['stop', '--data', data])
  expect(await stop.exit, stop.output()).toBe(0)
  expect(await house.exit).toBe(0)
  for (const { pid } of endpoints.processes) await waitFor(() => gone(pid), { what: `the end of ${pid}` })
}, 180_000)

test('after kill -9 of the supervisor its children end too', async () => {
  const data = join(dir, 'd')
  const house = spawnStart(['--no-demo', '--data', data])
  const { processes } = await waitFor(async () => JSON.parse(await readFile(join(data, 'endpoints.json'), 'utf8')) as Endpoints, {
    what: 'endpoints.json',
    timeoutMs: 60_000,
  })
  expect(processes.map(({ name }) => name).sort()).toEqual([
    'analytics.1',
    'auth.1',
    'chat-agent.1',
    'gateway.1',
    'group.1',
    'ingestion.1',
    'nats',
    'offline-model',
    'postgres',
    'tools.1',
  ])
  expect((await readdir(data)).sort()).toEqual(expect.arrayContaining(['endpoints.json', 'index', 'logs', 'nats', 'postgres']))
  house.child.kill('SIGKILL')
  await house.exit
  for (const { name, pid } of processes) await waitFor(() => gone(pid), { what: `the end of ${name}` })
  const again = await once('d', 'whales.html', '--ask', 'How much krill does a blue whale eat a day?')
  expect(again.code, again.output).toBe(0)
}, 180_000)

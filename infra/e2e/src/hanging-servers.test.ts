import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { childrenOf } from '@youworker/embedded/children'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning, type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'

let dir: string
let system: SpawnedSystem
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker hanging '))
  const env = { OFFLINE_MODEL__TOKENS_PER_SECOND: '0' }
  system = await spawnSystem(join(dir, 'data'), ['--no-demo', '--single-process'], { env })
}, 120_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Stops a process and its children like a debugger would, and returns them. */
async function freeze(name: string): Promise<number[]> {
  const { pid } = await system.process(name)
  const frozen = [pid, ...(await childrenOf(pid))]
  for (const one of frozen) process.kill(one, 'SIGSTOP')
  return frozen
}

async function expectStartedAgain(name: string, frozen: readonly number[]): Promise<void> {
  await waitFor(async () => (await system.process(name)).pid !== frozen[0], { what: `another ${name}`, timeoutMs: 90_000 })
  expect(system.started.output()).toMatch(new RegExp(`^${name} has not answered for 1\\d s .*starting it again$`, 'm'))
  // Also the frozen children, of which nobody would ever hear again.
  for (const pid of frozen) await waitFor(async () => !(await isRunning(pid)), { what: `the end of process ${pid}` })
  await waitFor(async () => (await system.root.post('/v1/sessions', { title: name })).status === 200, {
    what: `a write after the restart of ${name}`,
  })
}

test('a nats-server that does not answer is started again, and its events go on', async () => {
  await expectStartedAgain('nats', await freeze('nats'))
  const sessions = async () => (await system.root.get('/v1/analytics/overview')).body.sessions?.total
  const made = (await system.root.get('/v1/sessions')).body.total
  await waitFor(async () => (await sessions()) === made, { what: 'the events of all sessions', timeoutMs: 60_000 })
}, 240_000)

test('a Postgres that does not answer is started again, with all of its processes', async () => {
  const frozen = await freeze('postgres')
  expect(frozen.length).toBeGreaterThan(3)
  await expectStartedAgain('postgres', frozen)
}, 240_000)

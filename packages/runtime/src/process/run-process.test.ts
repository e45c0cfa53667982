import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'

const SOON = { timeout: 20_000, interval: 20 }

const script = `
import { z } from 'zod'
import { processEnv } from '${import.meta.resolve('./config.ts')}'
import { runProcess } from '${import.meta.resolve('./run-process.ts')}'
import { Readiness } from '${import.meta.resolve('../health/readiness.ts')}'
const start = async (config, { logger }) => {
  logger.info({ token: 'never-logged', nested: { api_key: 'never-logged' } }, 'starting')
  if (config.MODE === 'broken') setTimeout(() => { throw new Error('boom') }, 50)
  const drain = async () => {
    logger.info('draining')
    if (config.MODE === 'busy') await new Promise((resolve) => setTimeout(resolve, 60_000))
    logger.info('drained')
  }
  const readiness = new Readiness({ thing: async () => { if (config.MODE === 'sick') throw new Error('start the thing') } })
  return { readiness, drain, async [Symbol.asyncDispose]() { await readiness[Symbol.asyncDispose](); logger.info('stopped') } }
}
await runProcess({ name: 'sample', env: process.env, schema: z.object({ ...processEnv, MODE: z.string() }), start })
`

function launch(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output }
}

async function healthUrl({ child, output }: { child: ChildProcess; output: () => string }): Promise<string> {
  for (;;) {
    const url = / health=(\S+)/.exec(output())?.[1]
    if (url) return url
    if (child.exitCode !== null) throw new Error(output())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const exitOf = async (child: ChildProcess) =>
  child.exitCode !== null ? child.exitCode : ((await once(child, 'exit')) as [number])[0]

test('serves health and metrics, keeps secrets out of the log and stops on SIGTERM', async () => {
  const sample = launch({ MODE: 'well', API__LOG_LEVEL: 'INFO' })
  const url = await healthUrl(sample)
  expect(sample.output()).toContain('API__LOG_LEVEL is read as LOG_LEVEL.')
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  await vi.waitFor(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200), SOON)
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('process_cpu_seconds_total')
  expect((await fetch(`${url}/other`)).status).toBe(404)
  sample.child.kill('SIGTERM')
  expect(await exitOf(sample.child)).toBe(0)
  expect(sample.output()).toContain('stopped')
  expect(sample.output()).not.toContain('never-logged')
})

test('is not ready while a dependency is down, and says what to do', async () => {
  const sample = launch({ MODE: 'sick' })
  const url = await healthUrl(sample)
  const down = { status: 'down', components: [{ name: 'thing', message: 'start the thing' }] }
  await vi.waitFor(async () => {
    const response = await fetch(`${url}/health/ready`)
    expect([response.status, await response.json()]).toMatchObject([503, down])
  }, SOON)
  sample.child.kill('SIGTERM')
  await exitOf(sample.child)
})

test('ends when its supervisor ends', async () => {
  const sample = launch({ MODE: 'well' })
  await healthUrl(sample)
  sample.child.disconnect()
  expect(await exitOf(sample.child)).toBe(0)
})

test('exit codes distinguish invalid settings and a crash', async () => {
  const unset = launch({})
  expect(await exitOf(unset.child)).toBe(2)
  expect(unset.output()).toContain('MODE is not set')
  const broken = launch({ MODE: 'broken' })
  expect(await exitOf(broken.child)).toBe(1)
})

test('asked to drain it finishes its work first, is not ready meanwhile, and SIGINT ends the wait', async () => {
  const idle = launch({ MODE: 'well' })
  await healthUrl(idle)
  idle.child.send({ type: 'drain', limit_ms: 60_000 })
  expect(await exitOf(idle.child)).toBe(0)
  expect(idle.output()).toMatch(/draining[\s\S]*drained[\s\S]*stopped/)

  const busy = launch({ MODE: 'busy' })
  const url = await healthUrl(busy)
  busy.child.send({ type: 'drain', limit_ms: 60_000 })
  await until(() => busy.output().includes('draining'))
  expect((await fetch(`${url}/health/ready`)).status).toBe(503)
  expect(busy.output()).not.toContain('stopped')
  busy.child.kill('SIGINT')
  expect(await exitOf(busy.child)).toBe(0)
  expect(busy.output()).toMatch(/draining[\s\S]*stopped/)
  expect(busy.output()).not.toContain('drained')
})

test('drains for as long as it may, and no longer', async () => {
  const asked = launch({ MODE: 'busy' })
  await healthUrl(asked)
  asked.child.send({ type: 'drain', limit_ms: 300 })
  const signalled = launch({ MODE: 'busy', SHUTDOWN__GRACE_MS: '600' })
  await healthUrl(signalled)
  signalled.child.kill('SIGTERM')
  for (const sample of [asked, signalled]) {
    expect(await exitOf(sample.child)).toBe(0)
    expect(sample.output()).toMatch(/draining[\s\S]*stopped/)
  }
})

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(20)
}

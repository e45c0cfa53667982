import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LogOutput } from './log-output.ts'

const MB = 1024 * 1024
const code = (script: string) => ['--input-type=module', '--eval', script]
const service = `
import { createServer } from 'node:http'
import { z } from 'zod'
import { processEnv } from '${import.meta.resolve('./process/config.ts')}'
import { runProcess } from '${import.meta.resolve('./process/run-process.ts')}'
import { Readiness } from '${import.meta.resolve('./health/readiness.ts')}'
const start = async (config, { logger }) => {
  setInterval(() => { for (let n = 0; n < 200; n += 1) logger.info({ n }, 'x'.repeat(1000)) }, 10)
  return { readiness: new Readiness({}), async [Symbol.asyncDispose]() {} }
}
process.send({ port: Number(process.env.HEALTH__PORT) })
await runProcess({ name: 'talkative', env: process.env, schema: z.object(processEnv), start })
`

async function freePort(): Promise<number> {
  const { createServer } = await import('node:http')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((closed) => server.close(closed))
  return port
}

/** Starts a service that logs 20 MB a second to `stdout`, asks for its health for a while, and stops it. */
async function outlives(stdout: number | 'pipe'): Promise<{ healthy: number; exit: unknown[] }> {
  const port = await freePort()
  const child = spawn(process.execPath, code(service), {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'], HEALTH__PORT: String(port), SHUTDOWN__GRACE_MS: '1000' },
    stdio: ['ignore', stdout, 'inherit', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let healthy = 0
  for (const end = Date.now() + 30_000; healthy < 20 && Date.now() < end && child.exitCode === null;) {
    const isUp = await fetch(`http://127.0.0.1:${port}/health/ready`, { signal: AbortSignal.timeout(5_000) }).then(
      ({ status }) => status === 200,
      () => false,
    )
    if (isUp) healthy += 1
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill('SIGTERM')
  return { healthy, exit: await exited }
}

test.runIf(process.platform === 'linux')(
  'a service whose standard output is a full device answers, and stops when asked',
  async () => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    expect(await outlives(full)).toEqual({ healthy: 20, exit: [0, null] })
  },
)

test('a service whose standard output nobody reads answers, and stops when asked', async () => {
  expect(await outlives('pipe')).toEqual({ healthy: 20, exit: [0, null] })
})

test('a fatal line on a full device does not keep a process from ending', async () => {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const script = `
const { createLogger } = await import('${import.meta.resolve('./logger.ts')}')
createLogger({ name: 'last' }).fatal('the last words')
process.exit(3)`
  const child = spawn(process.execPath, code(script), { stdio: ['ignore', full, 'inherit'] })
  expect(await once(child, 'exit')).toEqual([3, null])
})

/** Logs so many lines at once, and ends. */
const spawnLogging = (lines: number) =>
  spawn(
    process.execPath,
    code(`
const { createLogger } = await import('${import.meta.resolve('./logger.ts')}')
const logger = createLogger({ name: 'last' })
for (let n = 0; n < ${lines}; n += 1) logger.info({ n }, 'line')
process.exit(0)`),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )

test('the last lines before an exit arrive, each once', async () => {
  const child = spawnLogging(3_000)
  let text = ''
  child.stdout.on('data', (data: Buffer) => (text += data.toString()))
  await once(child, 'close')
  const numbers = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(numbers).toHaveLength(3_000)
})

test('a reader that takes nothing does not keep a process from ending', async () => {
  const child = spawnLogging(9_000)
  expect(await once(child, 'exit')).toEqual([0, null])
  child.stdout.destroy()
})

test('lines that a slow reader leaves wait; beyond 1 MB they are dropped, counted, and the count is told once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'youworker-log-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  const both = openSync(pipe, constants.O_RDWR)
  onTestFinished(() => closeSync(both))
  const told: number[] = []
  const output = new LogOutput(both, (count) => {
    told.push(count)
    output.write('told\n')
  })
  const line = (n: number) => `${String(n).padStart(5, '0')} ${'x'.repeat(993)}\n`
  const sent = 3_000
  for (let n = 0; n < sent; n += 1) output.write(line(n))
  const read: string[] = []
  const buffer = Buffer.alloc(MB)
  let text = ''
  for (const end = Date.now() + 30_000; !text.endsWith('told\n') && Date.now() < end;) {
    try {
      text += buffer.toString('utf8', 0, readSync(both, buffer))
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  read.push(...text.trimEnd().split('\n'))
  expect(read.pop()).toBe('told')
  expect(told).toEqual([sent - read.length])
  expect(read).toEqual(Array.from({ length: read.length }, (_, n) => line(n).trimEnd()))
  expect(read.length).toBeGreaterThan(900)
  writeSync(both, 'end')
})

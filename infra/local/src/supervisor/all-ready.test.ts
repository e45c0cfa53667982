import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { dataDir } from '../data-dir/data-dir.ts'
import { startNodeProcess } from './node-process.ts'
import { SupervisedProcess } from './supervised-process.ts'
import { waitUntilAllReady } from './all-ready.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker ready '))
  await mkdir(join(dir, 'logs'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Nobody serves its health. */
const NOWHERE = 'http://127.0.0.1:1/health/ready'
const WAITS = `process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000)`

async function supervise(name: string, code: string): Promise<SupervisedProcess> {
  const script = join(dir, `${name}.mjs`)
  await writeFile(script, code)
  const logFile = dataDir(dir).log(name)
  const launch = () => startNodeProcess({ script, env: process.env, logFile, cwd: dir, healthUrl: NOWHERE })
  const supervised = new SupervisedProcess({ name, launch }, { print: () => {} })
  onTestFinished(() => supervised.stop(200))
  await supervised.start()
  return supervised
}

const failure = (processes: readonly SupervisedProcess[]) =>
  waitUntilAllReady(processes, dataDir(dir), new AbortController().signal).then(
    () => 'ready',
    (error: Error) => error.message,
  )

test('a process that dies three times ends the start with its own reason, while another one waits for it', async () => {
  const waiting = await supervise('waiting', WAITS)
  const dying = await supervise('dying', `console.error('no room on the moon'); process.exit(1)`)
  expect(await failure([waiting, dying])).toMatch(/^dying does not start\. [^]*no room on the moon$/)
  expect(dying.starts).toBe(3)
  expect(waiting.deaths).toBe(0)
})

test('one that refuses its settings ends the start the first time', async () => {
  const wrong = await supervise('wrong', `console.error('API__PORT: "x" must be a number'); process.exit(2)`)
  expect(await failure([wrong, await supervise('waiting too', WAITS)])).toMatch(/^wrong does not start\. [^]*API__PORT/)
  expect(wrong.starts).toBe(1)
})

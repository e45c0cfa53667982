import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startNodeProcess } from './node-process.ts'
import { SupervisedProcess } from './supervised-process.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker supervised '))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const STAYS = `process.on('SIGTERM', () => process.exit(0)); process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000)`
const STUBBORN = `process.on('SIGINT', () => {}); process.send('deaf'); setInterval(() => {}, 1000)`

async function supervise(name: string, code: string) {
  const script = join(dir, `${name}.mjs`)
  await writeFile(script, code)
  const lines: string[] = []
  const launch = () => startNodeProcess({ script, env: process.env, logFile: join(dir, `${name}.log`), cwd: dir })
  const supervised = new SupervisedProcess({ name, launch, drainMs: 10_000 }, { print: (line) => void lines.push(line) })
  onTestFinished(() => supervised.stop(200))
  await supervised.start()
  return { supervised, lines }
}

/** Ends 300 ms after it was asked to finish. */
const REPLACEABLE = `process.on('message', () => setTimeout(() => process.exit(0), 300)); process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000)`

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a process that exits is restarted after growing delays, with one printed line each time', async () => {
  const { supervised, lines } = await supervise('fragile', 'process.exit(3)')
  await waitFor(() => lines.length >= 3, { what: 'three deaths' })
  expect(lines.slice(0, 3)).toEqual([
    'fragile ended with code 3; starting it again in 0.5 s',
    'fragile ended with code 3; starting it again in 1 s',
    'fragile ended with code 3; starting it again in 2 s',
  ])
  expect(supervised.lastExit).toEqual({ code: 3, signal: null })
})

test('a killed process is restarted, a stopped one is not', async () => {
  const { supervised, lines } = await supervise('steady', STAYS)
  const first = supervised.pid ?? 0
  process.kill(first, 'SIGKILL')
  const second = await waitFor(() => (supervised.pid === first ? undefined : supervised.pid), { what: 'a new process' })
  expect(lines).toEqual(['steady was ended by SIGKILL; starting it again in 0.5 s'])
  await supervised.stop(5_000)
  expect(isAlive(second)).toBe(false)
  expect(lines).toHaveLength(1)
})

test('restart has no delay and kills a process that ignores SIGINT after the grace period', async () => {
  const { supervised, lines } = await supervise('stubborn', STUBBORN)
  const first = supervised.pid ?? 0
  await supervised.restart(300)
  await waitFor(() => supervised.pid !== undefined && supervised.pid !== first, { what: 'a new process' })
  expect(isAlive(first)).toBe(false)
  expect(lines).toEqual(['stubborn: restarting as asked'])
})

test('during the wait before a start, restart starts at once and stop cancels the start', async () => {
  const flag = join(dir, 'healed')
  const { supervised, lines } = await supervise(
    'ailing',
    `import { existsSync } from 'node:fs'; existsSync(${JSON.stringify(flag)}) || process.exit(1); ${STAYS}`,
  )
  // The fourth wait is 4 s long.
  await waitFor(() => lines.length >= 4, { what: 'a long wait' })
  await writeFile(flag, '')
  await supervised.restart(1_000)
  const pid = await waitFor(() => supervised.pid, { what: 'the next start', timeoutMs: 3_500 })
  await supervised.stop(1_000)
  expect(isAlive(pid)).toBe(false)

  const broken = await supervise('broken', 'process.exit(1)')
  await waitFor(() => broken.lines.length >= 2, { what: 'the wait before a start' })
  await broken.supervised.stop(1_000)
  expect(broken.supervised.pid).toBeUndefined()
})

test('a replacement takes over when it is ready, the one before finishes its work, and the new one is supervised', async () => {
  const { supervised, lines } = await supervise('replaced', REPLACEABLE)
  const first = supervised.pid ?? 0
  const ready = Promise.withResolvers<void>()
  const replaced = supervised.replace(() => ready.promise)
  await waitFor(() => supervised.otherPids.length === 1, { what: 'the new process' })
  expect(supervised.pid).toBe(first)
  const [second = 0] = supervised.otherPids
  ready.resolve()
  const before = await replaced
  expect([before?.pid, supervised.pid, supervised.otherPids]).toEqual([first, second, []])
  const drained = before && supervised.drain(before)
  expect([isAlive(first), supervised.otherPids]).toEqual([true, [first]])
  await drained
  expect([isAlive(first), isAlive(second), supervised.otherPids]).toEqual([false, true, []])
  expect(lines).toEqual([])
  process.kill(second, 'SIGKILL')
  await waitFor(() => supervised.pid !== undefined && supervised.pid !== second, { what: 'a new start' })
  expect(lines).toEqual(['replaced was ended by SIGKILL; starting it again in 0.5 s'])
})

test('the old process stays when its replacement is not ready, and is replaced also when it died meanwhile', async () => {
  const { supervised } = await supervise('kept', REPLACEABLE)
  const first = supervised.pid ?? 0
  let failed = 0
  const outcome = supervised.replace(({ pid }) => {
    failed = pid
    return Promise.reject(new Error('never ready'))
  })
  await expect(outcome).rejects.toThrow('never ready')
  expect([supervised.pid, isAlive(first), isAlive(failed)]).toEqual([first, true, false])

  const ready = Promise.withResolvers<void>()
  const replaced = supervised.replace(() => ready.promise)
  await waitFor(() => supervised.otherPids.length === 1, { what: 'the new process' })
  const [second = 0] = supervised.otherPids
  process.kill(first, 'SIGKILL')
  await waitFor(() => supervised.pid === undefined, { what: 'the death of the old process' })
  ready.resolve()
  await replaced
  // The wait for the next start of the old one is over, and nothing more was started.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect([supervised.pid, supervised.otherPids]).toEqual([second, []])
})

test('stop ends a replacement that is not ready yet, and what finishes its work', async () => {
  const { supervised } = await supervise('stopped', REPLACEABLE)
  const before = await supervised.replace(() => Promise.resolve())
  const first = before?.pid ?? 0
  void (before && supervised.drain(before))
  const replaced = supervised.replace(({ exited }) => exited.then(() => Promise.reject(new Error('it ended'))))
  await waitFor(() => supervised.otherPids.length === 2, { what: 'both' })
  const pids = [...supervised.otherPids, supervised.pid ?? 0]
  expect(pids).toContain(first)
  await Promise.all([expect(replaced).rejects.toThrow('it ended'), supervised.stop(2_000)])
  expect(pids.filter(isAlive)).toEqual([])
})

test('children end when their supervisor is killed with -9', async () => {
  const child = join(dir, 'child.mjs')
  const pidFile = join(dir, 'child.pid')
  await writeFile(child, STAYS)
  const owner = join(dir, 'owner.ts')
  await writeFile(
    owner,
    `import { writeFileSync } from 'node:fs'
const { startNodeProcess } = await import(${JSON.stringify(join(import.meta.dirname, 'node-process.ts'))})
const { pid } = await startNodeProcess({ script: ${JSON.stringify(child)}, env: process.env, logFile: ${JSON.stringify(join(dir, 'child.log'))}, cwd: '/' })
writeFileSync(${JSON.stringify(pidFile)}, String(pid))
setInterval(() => {}, 1000)`,
  )
  const supervisor = spawn(process.execPath, [owner], { stdio: 'ignore' })
  const pid = await waitFor(() => readFile(pidFile, 'utf8').then(Number, () => undefined), { what: 'the child' })
  expect(isAlive(pid)).toBe(true)
  supervisor.kill('SIGKILL')
  await waitFor(() => !isAlive(pid), { what: 'the end of the child' })
})

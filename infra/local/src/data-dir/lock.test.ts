import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readHolder, takeLock } from './lock.ts'

const control = { port: 1, token: 't' }
let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-lock-'))
  file = join(dir, 'lock')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('of eight simultaneous attempts one gets the lock, and releasing it leaves no file', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(file, control)))
  const held = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  // This process is alive, so its own lock refuses its other attempts too.
  expect(held).toHaveLength(1)
  expect(outcomes.find((outcome) => outcome.status === 'rejected')?.reason.message).toContain(
    `already runs with this data folder (process ${process.pid})`,
  )
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readHolder(file)).toMatchObject({ pid: process.pid, control })
  await held[0]?.value[Symbol.asyncDispose]()
  expect(await readdir(dir)).toEqual([])
})

test('the lock of a dead process, of a reused pid and a truncated lock file are taken over', async () => {
  const dead = spawn(process.execPath, ['-e', ''])
  await new Promise((resolve) => dead.once('exit', resolve))
  for (const stale of [
    JSON.stringify({ pid: dead.pid, began: '1', control }),
    JSON.stringify({ pid: process.pid, began: '1', control }),
    '{"pid":',
  ]) {
    await writeFile(file, stale)
    expect(await readHolder(file)).toBeUndefined()
    await using lock = await takeLock(file, control)
    expect(await readHolder(lock.file)).toMatchObject({ pid: process.pid })
  }
})

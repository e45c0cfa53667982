import { appendFile, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { limitLogs } from './limit-logs.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker logs '))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test('a log that grew too long is kept as the older part, and its process goes on in an empty file', async () => {
  const file = join(dir, 'group.1.log')
  // Like the file that a child has as its standard output.
  await using held = await open(file, 'a')
  await held.write('x'.repeat(1_001))
  await appendFile(join(dir, 'short.log'), 'short')
  await limitLogs(dir, 1_000)
  await held.write('after')
  expect((await stat(`${file}.1`)).size).toBe(1_001)
  expect(await readFile(file, 'utf8')).toBe('after')
  await held.write('y'.repeat(1_001))
  await limitLogs(dir, 1_000)
  // No third part, however long it runs.
  expect((await readdir(dir)).sort()).toEqual(['group.1.log', 'group.1.log.1', 'short.log'])
  expect(await readFile(`${file}.1`, 'utf8')).toMatch(/^aftery+$/)
  expect(await readFile(join(dir, 'short.log'), 'utf8')).toBe('short')
})

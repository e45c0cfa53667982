import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSecrets } from './secrets.ts'

let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-secrets-'))
  file = join(dir, 'secrets.json')
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('a data folder from before a secret existed gets it once, and keeps all others', async () => {
  const { audit_key: _, ...before } = await readSecrets(file)
  await writeFile(file, JSON.stringify(before))
  const completed = await readSecrets(file)
  expect(completed).toMatchObject(before)
  expect(completed.audit_key).toMatch(/^[\w-]{43}$/)
  expect(await readSecrets(file)).toEqual(completed)
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(completed)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(await readdir(dir)).toEqual(['secrets.json'])
})

test('a damaged file is refused and not overwritten', async () => {
  for (const damaged of ['{"root_api_key":', '[]', '{"root_api_key": 5}', 'null']) {
    await writeFile(file, damaged)
    await expect(readSecrets(file)).rejects.toThrow(/is damaged/)
    expect(await readFile(file, 'utf8')).toBe(damaged)
  }
})

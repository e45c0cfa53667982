import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { readEnv, readRequired } from './config.ts'
import { readSetting } from './read-setting.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-settings-'))
})
afterAll(() => rm(dir, { recursive: true }))

async function fromFile(content: string | Uint8Array): Promise<string | undefined> {
  const file = join(dir, crypto.randomUUID())
  await writeFile(file, content)
  return readSetting('KEY', { KEY_FILE: file })
}

test('a value comes from the variable, or from the file without the line break at its end', async () => {
  expect(readSetting('KEY', { KEY: 'a' })).toBe('a')
  expect(readSetting('KEY', { KEY: '', KEY_FILE: '' })).toBeUndefined()
  for (const content of ['value', 'value\n', 'value\r\n', 'value\n\n']) expect(await fromFile(content)).toBe('value')
  expect(await fromFile(' a b \n')).toBe(' a b ')
  expect(await fromFile('-----BEGIN\nline\n-----END\n')).toBe('-----BEGIN\nline\n-----END')
  // An empty variable counts as unset, so that the file is not beside another value.
  const file = join(dir, 'secret')
  await writeFile(file, 'of the file')
  await symlink(file, join(dir, 'link'))
  expect(readSetting('KEY', { KEY: '', KEY_FILE: join(dir, 'link') })).toBe('of the file')
})

test('a file that holds no value is refused with the reason and without its content', async () => {
  await expect(fromFile('')).rejects.toThrow(/^KEY_FILE: \S+ is empty/)
  await expect(fromFile('\n\n')).rejects.toThrow(/is empty/)
  await expect(fromFile(Buffer.from([0x68, 0xff, 0xfe]))).rejects.toThrow(/cannot be read as text/)
  await expect(fromFile('hunter2'.repeat(10_000))).rejects.toThrow(/^(?!.*hunter2).*larger than 64 KiB/)
  expect(() => readSetting('KEY', { KEY_FILE: join(dir, 'gone') })).toThrow(/KEY_FILE: .*gone does not exist/)
  expect(() => readSetting('KEY', { KEY_FILE: dir })).toThrow(/is no regular file/)
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(() => readSetting('KEY', { KEY_FILE: pipe })).toThrow(/is no regular file/)
})

test.skipIf(process.getuid?.() === 0)('a file without permission is refused', async () => {
  const file = join(dir, 'closed')
  await writeFile(file, 'x')
  await chmod(file, 0)
  expect(() => readSetting('KEY', { KEY_FILE: file })).toThrow(/no permission/)
})

test('a value and a file at once are refused, because one of them is a mistake', () => {
  expect(() => readSetting('KEY', { KEY: 'hunter2', KEY_FILE: join(dir, 'secret') })).toThrow(
    /^(?!.*hunter2)KEY and KEY_FILE are both set; keep one of them$/,
  )
})

test('every problem is named at once, each setting once', () => {
  const Env = z.object({ ONE: z.string(), TWO: z.string(), THREE: z.string() })
  const env = { ONE_FILE: '/nowhere', TWO: 'x', TWO_FILE: '/nowhere' }
  for (const read of [() => readEnv(Env, env), () => readRequired(Object.keys(Env.shape), env)]) {
    expect(read).toThrow(
      /^Settings that are missing or wrong:\n {2}ONE_FILE: \/nowhere does not exist\n {2}TWO and TWO_FILE are both set; keep one of them\n {2}THREE is not set$/,
    )
  }
})

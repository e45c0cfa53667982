import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collectFiles } from './collect-files.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker files '))
  for (const folder of ['notes/deep', 'notes/.git', 'notes/node_modules', 'empty', 'other'])
    await mkdir(join(dir, folder), { recursive: true })
  const files = [
    'a.md',
    'notes/b.MD',
    'notes/deep/c.pdf',
    'notes/program.exe',
    'notes/.hidden.md',
    'notes/.git/d.md',
    'notes/node_modules/e.md',
    'sheet.xlsx',
    'other/a.md',
  ]
  for (const file of files) await writeFile(join(dir, file), 'x')
  await symlink(join(dir, 'notes'), join(dir, 'notes/deep/loop'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const collect = (...names: string[]) =>
  collectFiles(
    names.map((name) => join(dir, name)),
    dir,
  )

test('given files are taken whatever their type, of folders only supported types, each file once', async () => {
  const { files, skipped } = await collect('sheet.xlsx', 'notes', 'a.md', 'notes/b.MD')
  expect(files.map(({ name }) => name)).toEqual(['sheet.xlsx', 'notes/b.MD', 'notes/deep/c.pdf', 'a.md'])
  expect(skipped).toBe(1)
})

test('the error names a missing path and a folder without a supported file', async () => {
  await expect(collect('a.md', 'nowhere')).rejects.toThrow('nowhere does not exist')
  await expect(collect('empty')).rejects.toThrow(/^empty holds no file that can be read/)
})

test('two files of the same name outside the caller’s folder are uploaded under different names', async () => {
  const { files } = await collectFiles([join(dir, 'a.md'), join(dir, 'other/a.md')], join(dir, 'empty'))
  expect(new Set(files.map(({ name }) => name)).size).toBe(2)
})

import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { uploadRoot } from './upload-root.ts'

test('a folder that is exchanged for a link while it is read never shows what the link leads to', async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'youworker-race-')))
  const [root, outside] = [join(folder, 'root'), join(folder, 'outside')]
  await mkdir(join(root, 'docs'), { recursive: true })
  await mkdir(outside)
  await writeFile(join(root, 'docs', 'a.md'), 'inside')
  await writeFile(join(outside, 'a.md'), 'secret')
  await writeFile(join(outside, 'only-outside.md'), 'secret')
  await symlink(outside, join(root, 'link'))
  let isOver = false
  const exchanging = (async () => {
    while (!isOver) {
      await rename(join(root, 'docs'), join(root, 'kept'))
      await rename(join(root, 'link'), join(root, 'docs'))
      await rename(join(root, 'docs'), join(root, 'link'))
      await rename(join(root, 'kept'), join(root, 'docs'))
      await sleep(1)
    }
  })()
  const files = uploadRoot(root)
  const seen = { inside: 0, refused: 0 }
  for (let tries = 0; tries < 3_000; tries += 1) {
    try {
      expect(await files.list('docs', 10)).not.toContain('docs/only-outside.md')
      await using file = await files.open('docs/a.md')
      let text = ''
      for await (const part of file.parts) text += Buffer.from(part).toString()
      expect(text).toBe('inside')
      seen.inside += 1
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'AppError') throw error
      seen.refused += 1
    }
  }
  isOver = true
  await exchanging
  await rm(folder, { recursive: true })
  // Both happened, so the exchange and the reading met.
  expect(seen.inside).toBeGreaterThan(0)
  expect(seen.refused).toBeGreaterThan(0)
})

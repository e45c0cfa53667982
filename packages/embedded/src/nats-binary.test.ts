import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { findNatsServer, isAtLeast } from './nats-binary.ts'

test('versions compare by number, not by text', () => {
  expect(isAtLeast('2.10.0', [2, 9, 10])).toBe(true)
  expect(isAtLeast('2.9.9', [2, 9, 10])).toBe(false)
  expect(isAtLeast('3.0.0', [2, 9, 10])).toBe(true)
})

test('when nats-server cannot be found, the error names the commands that install it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-nats-'))
  // A server that is too old is ignored.
  await writeFile(join(dir, 'nats-server'), '#!/bin/sh\necho nats-server: v2.1.0\n', { mode: 0o755 })
  vi.stubEnv('PATH', dir)
  try {
    await expect(findNatsServer({ cacheDir: dir })).rejects.toThrow(
      /apt-get install nats-server[^]*brew install nats-server[^]*NATS__URL/,
    )
  } finally {
    vi.unstubAllEnvs()
    await rm(dir, { recursive: true, force: true })
  }
})

import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { onTestFinished, test, expect, vi } from 'vitest'
import { silentLogger } from '../logger.ts'
import { FreeSpace, type Room } from './free-space.ts'
import { reportHealth } from './health-report.ts'
import { renderMetrics } from './metrics.ts'

const MB = 1024 * 1024

function watch(mb: number) {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const state: { mb: number; inodes: Room['inodes'] } = { mb, inodes: undefined }
  const read = async () => ({ bytes: state.mb * MB, inodes: state.inodes })
  const space = new FreeSpace({ folder: '/data', warnBelowMb: 1_024, refuseBelowMb: 200, logger: silentLogger(), read })
  onTestFinished(() => space[Symbol.dispose]())
  return {
    space,
    async now(free: number, inodes?: Room['inodes']) {
      Object.assign(state, { mb: free, inodes })
      vi.advanceTimersByTime(1_000)
      return [(await space.check()) !== undefined, (await space.shortage()) !== undefined]
    },
  }
}

test('warns below one limit and refuses below the other; each is left only with a margin', async () => {
  const { now } = watch(5_000)
  expect(await now(1_024)).toEqual([false, false])
  expect(await now(1_023)).toEqual([true, false])
  expect(await now(1_100)).toEqual([true, false])
  expect(await now(199)).toEqual([true, true])
  expect(await now(219)).toEqual([true, true])
  expect(await now(221)).toEqual([true, false])
  expect(await now(199)).toEqual([true, true])
  expect(await now(1_127)).toEqual([false, false])
})

test('refuses with the figures and what to do; health is degraded and not down; the metric has the free bytes', async () => {
  const { space } = watch(150)
  await expect(space.require()).rejects.toMatchObject({
    code: 'INSUFFICIENT_STORAGE',
    message: expect.stringMatching(/150 MB are free, and 200 MB are kept.*make room/),
    retryAfter: 60,
  })
  vi.useRealTimers()
  expect(await reportHealth({ disk: () => space.check() }, 1_000)).toMatchObject([
    { name: 'disk', status: 'degraded', message: expect.stringMatching(/\/data.*DISK__REFUSE_BELOW_MB: 200/) },
  ])
  expect((await renderMetrics()).body).toContain(`disk_free_bytes{folder="/data"} ${150 * MB}`)
})

test('a file system in which no more files can be made counts as full, though it has bytes; small ones have fewer', async () => {
  const { now, space } = watch(5_000)
  const of = (total: number) => (free: number) => now(5_000, { free, total })
  const large = of(10_000_000)
  expect(await large(20_000)).toEqual([false, false])
  expect(await large(19_999)).toEqual([true, false])
  expect(await large(1_999)).toEqual([true, true])
  expect(await space.check()).toMatch(/^1999 files can be made in \/data; make room there\. Uploads are refused/)
  await expect(space.require()).rejects.toMatchObject({
    code: 'INSUFFICIENT_STORAGE',
    message: expect.stringMatching(/nearly full: 1999 files can be made, and 2000 files are kept/),
  })
  expect(await large(2_100)).toEqual([true, true])
  expect(await large(30_000)).toEqual([false, false])
  const small = of(10_000)
  expect(await small(600)).toEqual([false, false])
  expect(await small(99)).toEqual([true, true])
  // No limit on files, or none that is told.
  expect(await now(5_000)).toEqual([false, false])
  expect((await renderMetrics()).body).toContain('disk_free_inodes{folder="/data"} 99')
})

test('reads the file system of a folder that is still to be made', async () => {
  const folder = join(tmpdir(), 'youworker', crypto.randomUUID())
  using space = new FreeSpace({ folder, warnBelowMb: 1e9, refuseBelowMb: 0, logger: silentLogger() })
  expect(await space.check()).toMatch(/^\d+ MB are free/)
  await space.require()
})

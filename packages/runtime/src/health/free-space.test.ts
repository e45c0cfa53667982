import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { onTestFinished, test, expect, vi } from 'vitest'
import { silentLogger } from '../logger.ts'
import { FreeSpace } from './free-space.ts'
import { reportHealth } from './health-report.ts'
import { renderMetrics } from './metrics.ts'

const MB = 1024 * 1024

function watch(mb: number) {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const state = { mb }
  const read = async () => state.mb * MB
  const space = new FreeSpace({ folder: '/data', warnBelowMb: 1_024, refuseBelowMb: 200, logger: silentLogger(), read })
  onTestFinished(() => space[Symbol.dispose]())
  return {
    space,
    async now(free: number) {
      state.mb = free
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

test('reads the file system of a folder that is still to be made', async () => {
  const folder = join(tmpdir(), 'youworker', crypto.randomUUID())
  using space = new FreeSpace({ folder, warnBelowMb: 1e9, refuseBelowMb: 0, logger: silentLogger() })
  expect(await space.check()).toMatch(/^\d+ MB are free/)
  await space.require()
})

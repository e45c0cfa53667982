import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { settledWithin } from './settled-within.ts'

test('a time that is past is no time, without a warning of Node', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  expect(await settledWithin(-5, sleep(200))).toBe(false)
  expect(await settledWithin(-5, Promise.resolve())).toBe(true)
  await sleep(20)
  process.off('warning', note)
  expect(warnings).toEqual([])
})

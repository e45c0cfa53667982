import { expect, test } from 'vitest'
import { plantedViolationsFound } from './planted-violations.ts'

test('the checks report a planted violation of each architecture rule, in every source folder', async () => {
  const found = await plantedViolationsFound()
  expect([...found].filter(([, fired]) => !fired)).toEqual([])
  expect(found.size).toBeGreaterThan(30)
}, 240_000)

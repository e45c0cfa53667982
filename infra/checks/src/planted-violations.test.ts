import { expect, test } from 'vitest'
import { plantedViolationsFound } from './planted-violations.ts'

test('the checks report the planted violations of every architecture rule', async () => {
  const found = await plantedViolationsFound()
  expect([...found].filter(([, fired]) => !fired)).toEqual([])
  expect(found.size).toBeGreaterThan(30)
}, 240_000)

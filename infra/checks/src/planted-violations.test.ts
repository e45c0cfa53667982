import { expect, test } from 'vitest'
import { plantedViolationsFound } from './planted-violations.ts'

test('each architecture rule is broken once in a copy of the tree, and the check sees it', async () => {
  const found = await plantedViolationsFound()
  expect([...found].filter(([, fired]) => !fired)).toEqual([])
  expect(found.size).toBeGreaterThan(30)
}, 240_000)

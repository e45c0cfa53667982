import { check } from 'recheck'
import { expect, test } from 'vitest'
import { findSlowExpressions } from './linear-expressions.ts'

test('every regular expression over text from outside takes linear time', async () => {
  // The analysis itself tells slow from fast.
  expect((await check(String.raw`!?\[([^\]]*)\]\([^)]*\)`, 'g')).status).toBe('vulnerable')
  const { slow, checked } = await findSlowExpressions()
  expect(checked).toBeGreaterThan(80)
  expect(slow).toEqual([])
}, 240_000)

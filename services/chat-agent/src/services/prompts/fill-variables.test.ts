import { expect, test } from 'vitest'
import { fillVariables } from './fill-variables.ts'

const values = { date: '2026-11-30', user: '{{group}} $& {{user}}', language: 'German', group: undefined }

test('variables are replaced once, as text; what is none, or has no value, stays', () => {
  expect(fillVariables('{{date}}: {{user}}, {{language}}; {{group}}', values)).toBe(
    '2026-11-30: {{group}} $& {{user}}, German; {{group}}',
  )
  for (const text of ['{{ date }}', '{{DATE}}', '{{1+1}}', '{{constructor}}', '{date}', '{{{{x}}}}'])
    expect(fillVariables(text, values)).toBe(text)
  expect(fillVariables('{{{{date}}}}', values)).toBe('{{2026-11-30}}')
})

test('at most a hundred are replaced', () => {
  expect(fillVariables('{{date}}'.repeat(1_000), values).length).toBe(100 * 10 + 900 * 8)
})

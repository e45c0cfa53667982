import { expect, test } from 'vitest'
import { readTurns, titleOf } from './chat-turns.ts'

test('the last user turn is the input; system turns and later turns are dropped', () => {
  const messages = [
    { role: 'system' as const, content: 'obey me' },
    { role: 'user' as const, content: 'one' },
    { role: 'assistant' as const, content: 'two' },
    { role: 'user' as const, content: 'three' },
    { role: 'assistant' as const, content: 'put into your mouth' },
  ]
  expect(readTurns({ messages })).toEqual({
    text: 'three',
    earlier: [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'two' },
    ],
  })
  expect(readTurns({ messages: messages.slice(0, 3), text_input: 'new' }).earlier).toHaveLength(2)
  expect(readTurns({ text_input: 'x' })).toEqual({ text: 'x', earlier: [] })
})

test('an empty and a too long question are refused', () => {
  expect(() => readTurns({ messages: [{ role: 'assistant', content: 'hi' }] })).toThrow(
    expect.objectContaining({ code: 'VALIDATION_ERROR' }),
  )
  expect(() => readTurns({})).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  const long = { role: 'user' as const, content: 'ä'.repeat(40_000) }
  expect(() => readTurns({ messages: [long] })).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
})

test('a title is one clean line', () => {
  expect(titleOf('\n  How\tmany \u0007 days?\nmore')).toBe('How many days?')
  expect(titleOf('😀'.repeat(100)).isWellFormed()).toBe(true)
  expect(titleOf('😀'.repeat(100)).length).toBeLessThanOrEqual(80)
})

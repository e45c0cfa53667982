import { expect, test } from 'vitest'
import { ThoughtFilter } from './thought-filter.ts'

/** What is text and what thought after these pieces of a model's text; the last chunk only ends it. */
function filtered(...pieces: string[]) {
  const filter = new ThoughtFilter()
  const chunks = pieces.map((text) => filter.of({ text, thinking: '', tool_calls: [] }))
  chunks.push(filter.of({ text: '', thinking: '', tool_calls: [], finish: 'stop' }))
  return [chunks.map(({ text }) => text).join(''), chunks.map(({ thinking }) => thinking).join('')]
}

test('thoughts in front of the answer are no part of it, however the text is cut', () => {
  const text = '\n<think>Hm, 1 < 2.\n</thin no</think>\n\nThe answer, with <think> in it.'
  const expected = ['The answer, with <think> in it.', 'Hm, 1 < 2.\n</thin no']
  expect(filtered(text)).toEqual(expected)
  expect(filtered(...text.split(''))).toEqual(expected)
  for (let at = 0; at < text.length; at += 1) expect(filtered(text.slice(0, at), text.slice(at))).toEqual(expected)
})

test('every other text stays as it is', () => {
  for (const text of ['', ' ', 'Hello', '\n\nHello', '<thin', '<thinking>', 'Say <think>.</think>', '  <b>'])
    for (const pieces of [[text], text.split('')]) expect(filtered(...pieces)).toEqual([text, ''])
})

test('thoughts without an end are no answer', () => {
  expect(filtered('<think>On and', ' on</th')).toEqual(['', 'On and on</th'])
})

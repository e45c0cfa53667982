import { expect, test } from 'vitest'
import { CitationBook } from '../citations/citation-book.ts'
import type { ToolCall } from '../tools/tool-call.ts'
import { restoreTurn } from './restore-turn.ts'

const call = (id: string, iteration: number, change: Partial<ToolCall>): ToolCall => ({
  id,
  iteration,
  name: `tool_${id}`,
  args: { id },
  status: 'success',
  called: true,
  idempotent: true,
  is_away: false,
  latency_ms: 1,
  result: { text: `result ${id}` },
  error: null,
  ...change,
})
const hit = {
  document_id: '0193a000-0000-7000-8000-000000000001',
  chunk_id: 'c',
  title: 'T',
  uri: 'u',
  score: 1,
  snippet: 's',
  text: 'passage',
}

test('an unfinished turn is restored: texts, results, passage numbers, pending calls, the unfinished answer', () => {
  const book = new CitationBook()
  const restored = restoreTurn(
    {
      begun: [{ role: 'user', content: 'Q' }],
      text: 'Let me look.And there. The ans',
      steps: [
        { iteration: 1, text_end: 12 },
        { iteration: 2, text_end: 22 },
      ],
      calls: [
        call('a', 1, { result: { text: 'raw', hits: [hit] } }),
        call('b', 2, { status: 'error', result: null, error: 'no luck' }),
        call('c', 2, { status: 'running', result: null }),
      ],
    },
    book,
  )
  expect(restored.messages).toEqual([
    { role: 'user', content: 'Q' },
    { role: 'assistant', content: 'Let me look.', tool_calls: [{ name: 'tool_a', arguments: { id: 'a' } }] },
    { role: 'tool', tool_name: 'tool_a', content: '[1] T\npassage' },
    {
      role: 'assistant',
      content: 'And there.',
      tool_calls: [
        { name: 'tool_b', arguments: { id: 'b' } },
        { name: 'tool_c', arguments: { id: 'c' } },
      ],
    },
    { role: 'tool', tool_name: 'tool_b', content: 'Error: no luck' },
  ])
  expect(restored.answered).toBe('Let me look.And there.'.length)
  expect(restored.pendingCalls.map(({ id }) => id)).toEqual(['c'])
  expect(book.isHit(1)).toBe(true)
})

test('a tool that was called before the model was asked comes first', () => {
  const stored = { begun: [{ role: 'user', content: 'Q' }], text: '', steps: [], calls: [call('a', 0, {})] } as const
  expect(restoreTurn(stored, new CitationBook())).toMatchObject({
    messages: [
      { role: 'user', content: 'Q' },
      { role: 'assistant', content: '', tool_calls: [{ name: 'tool_a', arguments: { id: 'a' } }] },
      { role: 'tool', tool_name: 'tool_a', content: 'result a' },
    ],
    pendingCalls: [],
  })
})

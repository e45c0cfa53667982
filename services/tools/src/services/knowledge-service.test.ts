import { expect, test } from 'vitest'
import { formatHits } from './knowledge-service.ts'

test('hits are numbered passages with title and page', () => {
  const hit = {
    document_id: 'd',
    chunk_id: 'c',
    title: 'handbook.pdf',
    uri: 'u',
    score: 1,
    snippet: 's',
    text: ' You have 25 days. \n',
  }
  expect(formatHits([{ ...hit, page: 3 }, hit])).toBe(
    '[1] handbook.pdf, p. 3\nYou have 25 days.\n\n[2] handbook.pdf\nYou have 25 days.',
  )
  expect(formatHits([])).toBe('No passage was found in the documents.')
})

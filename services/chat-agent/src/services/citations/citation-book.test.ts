import { expect, test } from 'vitest'
import { CitationBook, type SearchHit } from './citation-book.ts'

const hit = (chunk: string, page?: number): SearchHit => ({
  document_id: '0193a000-0000-7000-8000-000000000001',
  chunk_id: chunk,
  title: `T ${chunk}`,
  uri: `doc://${chunk}`,
  page,
  score: 0.5,
  snippet: 's'.repeat(400),
  text: `text of ${chunk}`,
})

test('numbers hits across searches; a chunk keeps its number', () => {
  const book = new CitationBook()
  expect(book.add([hit('a', 3), hit('b')])).toBe('[1] T a, p. 3\ntext of a\n\n[2] T b\ntext of b')
  expect(book.add([hit('b'), hit('c')])).toBe('[2] T b\ntext of b\n\n[3] T c\ntext of c')
  expect([0, 1, 3, 4].map(book.isHit)).toEqual([false, true, true, false])
})

test('lists exactly the hits that the text cites, in the order of their numbers', () => {
  const book = new CitationBook()
  book.add([hit('a', 3), hit('b'), hit('c')])
  const cited = book.citedIn('first [3], then [1], [1] again, never [9]')
  expect(cited.map(({ index, title, page }) => ({ index, title, page }))).toEqual([
    { index: 1, title: 'T a', page: 3 },
    { index: 3, title: 'T c', page: undefined },
  ])
  expect(cited[0]?.snippet).toHaveLength(300)
})

import { expect, test } from 'vitest'
import { parseMarkdown } from '../parsing/formats/parse-markdown.ts'
import { parseText } from '../parsing/formats/parse-text.ts'
import { chunkDocument as chunksOf } from './chunk-document.ts'
import { countTokens } from '@youworker/runtime/text/count-tokens'

const chunkDocument = (...args: Parameters<typeof chunksOf>) => [...chunksOf(...args)]
const size = { tokens: 40, overlap: 12 }
const sentence = (i: number) => `Sentence number ${i} says something short about topic ${i}. `

test('chunks stay below the size, cover the text and repeat the end of the one before', () => {
  const document = parseText(Array.from({ length: 30 }, (_, i) => sentence(i)).join(''))
  const chunks = chunkDocument(document, size)
  expect(chunks.length).toBeGreaterThan(5)
  for (const [i, chunk] of chunks.entries()) {
    expect(chunk.index).toBe(i)
    expect(document.text.slice(chunk.start, chunk.end)).toBe(chunk.text)
    expect(countTokens(chunk.text)).toBeLessThanOrEqual(size.tokens)
    if (i > 0) expect(chunk.start).toBeLessThan(chunks[i - 1]?.end ?? 0)
  }
  for (let i = 0; i < 30; i += 1) expect(chunks.some(({ text }) => text.includes(sentence(i).trim()))).toBe(true)
})

test('no chunk crosses a heading or a page', () => {
  const chunks = chunkDocument(parseMarkdown('# A\none\n\ntwo\n\n## B\nthree\n\n# C\nfour'), size)
  expect(chunks.map(({ title_path, text }) => [title_path, text])).toEqual([
    [['A'], 'one\n\ntwo'],
    [['A', 'B'], 'three'],
    [['C'], 'four'],
  ])
  const block = { title_path: [] }
  const paged = {
    title: undefined,
    text: 'one\n\ntwo',
    blocks: [
      { ...block, text: 'one', start: 0, end: 3, page: 1 },
      { ...block, text: 'two', start: 5, end: 8, page: 2 },
    ],
  }
  expect(chunkDocument(paged, size).map(({ page }) => page)).toEqual([1, 2])
})

test.each([
  ['one endless word', 'x'.repeat(50_000)],
  ['emoji without blanks', '🙂'.repeat(9_000)],
  ['Chinese', '休暇は二十五日です。'.repeat(800)],
  ['one endless line', 'word '.repeat(10_000)],
])('%s ends in bounded chunks that lose no character', (_, text) => {
  const chunks = chunkDocument(parseText(text), { tokens: 400, overlap: 0 })
  expect(
    chunks
      .map((chunk) => chunk.text.trim())
      .join('')
      .replaceAll(' ', ''),
  ).toBe(text.replaceAll(' ', ''))
  for (const chunk of chunks) {
    expect(Buffer.byteLength(chunk.text)).toBeLessThanOrEqual(8_192)
    expect(chunk.text.isWellFormed()).toBe(true)
  }
})

test('a table stays whole where it fits, and every part of one that is cut begins with the names of its columns', () => {
  const row = (at: number) => `| ${at} | value ${at} |`
  const table = (rows: number) => `| a | b |\n|---|---|\n${Array.from({ length: rows }, (_, at) => row(at)).join('\n')}`
  const [before, short] = chunkDocument(parseMarkdown(`${sentence(1).repeat(2)}\n\n${table(3)}`), size)
  expect([before?.text.includes('|'), short?.text]).toEqual([false, table(3)])
  const long = chunkDocument(parseMarkdown(table(40)), size)
  for (const { text } of long) {
    expect(text.startsWith('| a | b |\n|---|---|\n| ')).toBe(true)
    expect(countTokens(text)).toBeLessThanOrEqual(size.tokens + 2)
  }
  expect(long.flatMap(({ text }) => text.split('\n').slice(2))).toEqual(Array.from({ length: 40 }, (_, at) => row(at)))
})

test('a paragraph that fits into a chunk is not cut when that leaves the one before at least half full', () => {
  const paragraphs = [sentence(1).repeat(2), sentence(2).repeat(3)].map((text) => text.trim())
  const chunks = chunkDocument(parseText(paragraphs.join('\n\n')), { tokens: 40, overlap: 0 })
  expect(chunks.map(({ text }) => text)).toEqual(paragraphs)
})

test('a long text is cut lazily and in linear time', () => {
  const chunks = chunksOf(parseText('x'.repeat(12_000_000)), { tokens: 400, overlap: 0 })
  expect(chunks.next().value?.start).toBe(0)
  expect([...chunks].at(-1)?.end).toBe(12_000_000)
})

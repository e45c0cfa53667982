import type { FileMime } from '@youworker/contracts/file-types'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { expect, test } from 'vitest'
import { parseMarkdown } from './formats/parse-markdown.ts'
import type { ParsedDocument } from './parsed-document.ts'
import { parseFile } from './test-parse.ts'

const parse = (mime: FileMime, content: string | Uint8Array) =>
  parseFile({ bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content, mime })

const outline = (document: ParsedDocument) => document.blocks.map(({ text, title_path }) => [title_path.join(' > '), text])

function expectOffsetsToFit(document: ParsedDocument) {
  for (const { text, start, end } of document.blocks) expect(document.text.slice(start, end)).toBe(text)
}

test('Markdown: headings of both kinds, fenced code, front matter, bare headings', async () => {
  const document = await parse(
    'text/markdown',
    '---\ntitle: x\n---\n# Handbook ##\r\n\r\nIntro\nline two\n\nLeave\n-----\n25 *days*.\n\n```sh\n# no heading\n\nstill code\n```\n\n### [Sick](x) leave\n\n## Empty\n\n## Last\nend',
  )
  expect(document.title).toBe('Handbook')
  expect(outline(document)).toEqual([
    ['Handbook', 'Intro\nline two'],
    ['Handbook > Leave', '25 *days*.'],
    ['Handbook > Leave', '```sh\n# no heading\n\nstill code\n```'],
    ['Handbook > Leave > Sick leave', '### [Sick](x) leave'],
    ['Handbook > Empty', '## Empty'],
    ['Handbook > Last', 'end'],
  ])
  expectOffsetsToFit(document)
})

test('Markdown: lists, quotes, tables and indented code are one block each; headings keep numbers, signs and letters', async () => {
  const document = await parse(
    'text/markdown',
    '# 1. C\\# & `a*b` #\r\n\r\n\t- one\r\n\r\n- two\r\n  # quoted heading\r\n\r\n> a\nb\n\n| x |\n|---|\n| 1 |\n\n***\n\nTwo *lines*\nC #\n---\n[a]: /b',
  )
  expect(outline(document)).toEqual([
    ['1. C# & a*b', '\t- one'],
    ['1. C# & a*b', '- two\r\n  # quoted heading'],
    ['1. C# & a*b', '> a\nb'],
    ['1. C# & a*b', '| x |\n|---|\n| 1 |'],
    ['1. C# & a*b > Two lines C #', '[a]: /b'],
  ])
  expectOffsetsToFit(document)
})

test('Markdown longer than a window is read like the parts that it is made of', async () => {
  const section = (at: number) =>
    `\n# Part ${at}\n\n\ttab\r\n\r\n- a\n\n  b\n\n\`\`\`\n${`# ${at}\n`.repeat(at % 67 === 0 ? 20_000 : (at % 7) * 300)}\`\`\`\n`
  const sections = Array.from({ length: 75 }, (_, at) => section(at))
  const document = await parse('text/markdown', `\uFEFF---\na: b\n---\n\uFEFF${sections.join('')}`)
  const expected = sections.flatMap((text) => outline(parseMarkdown(text)))
  // A printed difference of texts this long would take minutes.
  const wrong = outline(document).findIndex((block, at) => JSON.stringify(block) !== JSON.stringify(expected[at]))
  expect([wrong, document.blocks.length]).toEqual([-1, expected.length])
  expectOffsetsToFit(document)
})

test('Markdown above 10 million characters keeps its text but no headings', async () => {
  const document = await parse('text/markdown', `# Head\n\n${'word '.repeat(2_000_000)}`)
  expect(document.blocks.map(({ text, title_path }) => [text.slice(0, 6), title_path])).toEqual([
    ['# Head', []],
    ['word w', []],
  ])
})

test('Markdown with one block of more than 512,000 characters keeps its headings up to there', async () => {
  const rows = Array.from({ length: 27_000 }, (_, at) => `| ${at} | value ${at} |`)
  const document = await parse('text/markdown', `# Figures\n\nBefore.\n\n| a | b |\n|---|---|\n${rows.join('\n')}\n\nAfter.`)
  expect(outline(document).map(([path, text = '']) => [path, text.slice(0, 7), text.slice(-7)])).toEqual([
    ['Figures', 'Before.', 'Before.'],
    ['Figures', '| a | b', '26999 |'],
    ['Figures', 'After.', 'After.'],
  ])
  expectOffsetsToFit(document)
})

test('plain text: paragraphs by blank lines', async () => {
  const document = await parse('text/plain', '\uFEFFone\r\nstill one\r\n\r\n  two 🙂 \n \n\nthree')
  expect(document.blocks.map(({ text }) => text)).toEqual(['one\r\nstill one', 'two 🙂', 'three'])
  expectOffsetsToFit(document)
})

test('HTML: title, headings, tables; no scripts and no navigation', async () => {
  const document = await parse(
    'text/html',
    `<html><head><title> Our
     Rules </title><script>steal()</script></head><body><nav>menu</nav><h1>Rules</h1><p>Be <b>kind</b>.</p>
     <h2>Leave</h2><table><tr><th>Role</th><th>Days</th></tr><tr><td>Dev</td><td>30</td></tr></table><style>p{}</style></body></html>`,
  )
  expect(document.title).toBe('Our Rules')
  expect(outline(document)).toEqual([
    ['Rules', 'Be kind.'],
    ['Rules > Leave', '| Role | Days |\n| Dev | 30 |'],
  ])
  expectOffsetsToFit(document)
})

test('PDF: one block a page with its number, hyphens joined', async () => {
  const document = await parse('application/pdf', samplePdf([['First page exam-', 'ple.'], [], ['Third (page).']], 'Handbook'))
  expect(document.title).toBe('Handbook')
  expect(document.blocks.map(({ text, page }) => [page, text])).toEqual([
    [1, 'First page example.'],
    [3, 'Third (page).'],
  ])
  expectOffsetsToFit(document)
})

test.each<[FileMime, string | Uint8Array, RegExp]>([
  ['application/pdf', '%PDF-1.7 and then nothing', /damaged/],
  ['application/pdf', samplePdf([[]]), /holds no text/],
  ['text/markdown', Uint8Array.from([0x61, 0xff, 0xfe, 1]), /UTF-8/],
  ['application/json', '{"a": ', /valid JSON/],
  ['application/xml', '<a>'.repeat(1_000), /nested too deeply/],
  ['text/plain', 'a\0b', /UTF-8/],
  ['text/html', '<script>only()</script>', /holds no text/],
  ['application/json', '['.repeat(1_000_000) + ']'.repeat(1_000_000), /nested too deeply/],
  ['text/html', '<div>'.repeat(200_000) + 'deep', /nested too deeply/],
  ['text/plain', ' \n \n', /holds no text/],
])('an unreadable file is refused with a reason: %s', async (mime, content, reason) => {
  await expect(parse(mime, content)).rejects.toMatchObject({ code: 'VALIDATION_ERROR', message: expect.stringMatching(reason) })
})

// A parser whose time grows with the square of a line's length takes minutes for each of these.
test.each<[string, FileMime, string]>([
  ['blanks within a heading', 'text/markdown', `# a${' '.repeat(1_000_000)}b`],
  ['brackets in a heading', 'text/markdown', `# ${'['.repeat(500_000)}`],
  ['brackets above a setext line', 'text/markdown', `${'[a]('.repeat(300_000)}\n===`],
  ['one paragraph of many megabytes', 'text/plain', 'x'.repeat(12_000_000)],
])('%s are read within seconds', async (_, mime, content) => {
  const document = await parse(mime, content)
  expect(document.blocks.map(({ start }) => start)).toEqual([0])
  expect(document.title?.length ?? 0).toBeLessThanOrEqual(200)
  expectOffsetsToFit(document)
})

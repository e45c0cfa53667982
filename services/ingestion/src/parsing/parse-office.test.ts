import type { FileMime } from '@youworker/contracts/file-types'
import { mimeOfExtension } from '@youworker/contracts/file-types'
import {
  sampleBook,
  sampleOpenDocument,
  sampleSheets,
  sampleSlides,
  sampleWord,
  sampleZip,
} from '@youworker/test-kit/sample-office'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { expect, test } from 'vitest'
import { loadParser } from './parse-file.ts'
import type { ParsedDocument } from './parsed-document.ts'

const mimeOf = (extension: string): FileMime => mimeOfExtension(extension) ?? 'text/plain'

const parse = async (extension: string, content: Uint8Array) => {
  const document = await (await loadParser(mimeOf(extension)))(content)
  for (const { text, start, end } of document.blocks) expect(document.text.slice(start, end)).toBe(text)
  return document
}

const outline = ({ blocks }: ParsedDocument) => blocks.map(({ text, title_path }) => [title_path.join(' > '), text])

test('Word: headings by name and by what their style is based on, lists, tables, notes; nothing that was deleted', async () => {
  const deleted = '<w:p><w:del><w:r><w:t>old</w:t></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>'
  const notes = `<w:footnotes xmlns:w="w"><w:footnote><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote>${deleted}</w:footnotes>`
  const bytes = sampleWord(
    'Handbook',
    [
      ['H1', 'Rules & more'],
      'Be kind.',
      ['H2', 'Leave'],
      ['- ', 'one'],
      ['- ', 'two'],
      [
        ['Role', 'Days'],
        ['Dev', '30'],
      ],
      ['H1', 'Last'],
      'end',
    ],
    { 'word/footnotes.xml': notes },
  )
  const document = await parse('.docx', bytes)
  expect(document.title).toBe('Handbook')
  expect(outline(document)).toEqual([
    ['Rules & more', 'Be kind.'],
    ['Rules & more > Leave', '- one\n- two'],
    ['Rules & more > Leave', '| Role | Days |\n| Dev | 30 |'],
    ['Last', 'end'],
    ['Last', 'A note.'],
    ['Last', 'new'],
  ])
})

test('Excel: every sheet, all rows, dates and shares as they are shown, empty columns left out', async () => {
  const many = Array.from({ length: 5_000 }, (_, at) => [`row ${at}`, at])
  const bytes = sampleSheets({
    Leave: [
      ['', 'Role', '', 'From', 'Share', 'Ok'],
      ['', 'Dev', '', { number: 46_356, style: 'date' }, { number: 0.255, style: 'share' }, true],
      ['', 'Ops', '', { number: 46_356.5, style: 'date' }, 0.1 + 0.2],
    ],
    Empty: [],
    Many: [['Name', 'Number'], ...many],
  })
  const { blocks } = await parse('.xlsx', bytes)
  expect(blocks[0]).toMatchObject({
    title_path: ['Leave'],
    header: '| Role | From | Share | Ok |',
    text: '| Role | From | Share | Ok |\n| Dev | 2026-11-30 | 25.5% | TRUE |\n| Ops | 2026-11-30 12:00:00 | 0.3 |  |',
  })
  expect(blocks[1]?.title_path).toEqual(['Many'])
  expect(blocks[1]?.text.split('\n')).toHaveLength(5_001)
  expect(blocks).toHaveLength(2)
})

test('PowerPoint: slides in their order with numbers and notes', async () => {
  const bytes = sampleSlides('Plan', [
    { title: 'Start', lines: ['First', 'Second'], notes: 'Say hello' },
    { title: 'End', lines: [] },
  ])
  const document = await parse('.pptx', bytes)
  expect(document.title).toBe('Plan')
  expect(document.blocks.map(({ page, title_path, text }) => [page, title_path, text])).toEqual([
    [1, ['Start'], 'First'],
    [1, ['Start'], 'Second'],
    [1, ['Start'], 'Say hello'],
    [2, ['End'], 'End'],
  ])
})

const cell = (text: string, more = '') => `<table:table-cell${more}><text:p>${text}</text:p></table:table-cell>`

test.each<[string, 'text' | 'spreadsheet' | 'presentation', string, unknown]>([
  [
    '.odt',
    'text',
    `<text:h text:outline-level="1">Rules</text:h><text:p>Be<text:s text:c="2"/><text:span>kind</text:span>.</text:p><text:list><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>deep</text:p></text:list-item></text:list></text:list-item></text:list><text:tracked-changes><text:p>old</text:p></text:tracked-changes><table:table><table:table-row>${cell('Role')}${cell('Days')}</table:table-row><table:table-row>${cell('Dev')}${cell('30')}</table:table-row></table:table>`,
    [
      [undefined, ['Rules'], 'Be  kind.'],
      [undefined, ['Rules'], '- one\n  - deep'],
      [undefined, ['Rules'], '| Role | Days |\n| Dev | 30 |'],
    ],
  ],
  [
    '.ods',
    'spreadsheet',
    `<table:table table:name="Leave"><table:table-row>${cell('Role')}${cell('Days', ' table:number-columns-repeated="2"')}<table:table-cell table:number-columns-repeated="16380"/></table:table-row><table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table><table:table table:name="Two"><table:table-row>${cell('a')}${cell('b')}</table:table-row></table:table>`,
    [
      [undefined, ['Leave'], '| Role | Days | Days |'],
      [undefined, ['Two'], '| a | b |'],
    ],
  ],
  [
    '.odp',
    'presentation',
    '<draw:page draw:name="Start"><draw:frame><draw:text-box><text:p>First</text:p></draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box><text:p>Say hello</text:p></draw:text-box></draw:frame></presentation:notes></draw:page><draw:page draw:name="End"/>',
    [
      [1, ['Start'], 'First'],
      [1, ['Start'], 'Say hello'],
      [2, ['End'], 'End'],
    ],
  ],
])('OpenDocument %s', async (extension, kind, body, expected) => {
  const document = await parse(extension, sampleOpenDocument(kind, 'Plan', body))
  expect(document.title).toBe('Plan')
  expect(document.blocks.map(({ page, title_path, text }) => [page, title_path, text])).toEqual(expected)
})

test('EPUB: chapters in reading order', async () => {
  const document = await parse('.epub', sampleBook('Bees', ['<h1>One</h1><p>First.</p>', '<p>Without a heading.</p>']))
  expect(document.title).toBe('Bees')
  expect(outline(document)).toEqual([
    ['One', 'First.'],
    ['Page 2', 'Without a heading.'],
  ])
})

test('ZIP: each file below its path, with its pages, archives in archives too; what is not read is named', async () => {
  const bytes = sampleZip({
    'notes/a.md': '# Plan\n\nText.',
    '__MACOSX/notes/._a.md': 'noise',
    'scan.pdf': samplePdf([['one'], ['two']]),
    'inner.zip': sampleZip({ 'deep.csv': 'a,b\n1,2\n' }),
    'program.exe': Uint8Array.from([0x4d, 0x5a, 0x90, 0, 3]),
  })
  const document = await parse('.zip', bytes)
  expect(document.blocks.map(({ page, title_path, text }) => [page, title_path.join(' > '), text.slice(0, 22)])).toEqual([
    [undefined, 'notes/a.md > Plan', 'Text.'],
    [1, 'scan.pdf', 'one'],
    [2, 'scan.pdf', 'two'],
    [undefined, 'inner.zip > deep.csv', '| a | b |\n| 1 | 2 |'],
    [undefined, '', 'Not read:\nprogram.exe:'],
  ])
})

test('a Word document without an ending that says so is read as what it is', async () => {
  expect((await parse('.zip', sampleWord('T', ['Hello']))).text).toBe('Hello')
})

test.each<[string, string, Uint8Array, RegExp]>([
  ['a workbook named .docx', '.docx', sampleSheets({ A: [['x']] }), /not a Word document/],
  ['a plain ZIP named .xlsx', '.xlsx', sampleZip({ 'a.txt': 'x' }), /not an Excel workbook/],
  ['a binary workbook', '.xlsx', sampleZip({ 'xl/workbook.bin': 'x' }), /save it as \.xlsx/],
  ['a plain ZIP named .pptx', '.pptx', sampleZip({ 'a.txt': 'x' }), /not a presentation/],
  ['a plain ZIP named .odt', '.odt', sampleZip({ 'a.txt': 'x' }), /not such a document/],
  ['a plain ZIP named .epub', '.epub', sampleZip({ 'a.txt': 'x' }), /not such a book/],
  ['a ZIP that is cut off', '.zip', sampleZip({ 'a.txt': 'x'.repeat(500) }).subarray(0, 60), /damaged/],
  [
    'a ZIP of nothing that is read',
    '.zip',
    sampleZip({ 'a.bin': Uint8Array.from([0, 1, 2]) }),
    /no file in it can be read: a\.bin/,
  ],
  ['an empty ZIP', '.zip', sampleZip({}), /holds no text/],
  ['a ZIP with a password', '.zip', withFlag(sampleZip({ 'a.txt': 'x' })), /password/],
])('%s is refused with a reason', async (_, extension, content, reason) => {
  await expect(parse(extension, content)).rejects.toThrow(reason)
})

function withFlag(zip: Uint8Array): Uint8Array {
  const locked = zip.slice()
  locked[6] = 1
  return locked
}

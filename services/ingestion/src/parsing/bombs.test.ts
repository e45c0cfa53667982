import { readdir, readFile } from 'node:fs/promises'
import type { FileMime } from '@youworker/contracts/file-types'
import { sampleBook, sampleOpenDocument, sampleSheets, sampleWord, sampleZip } from '@youworker/test-kit/sample-office'
import { sampleScan } from '@youworker/test-kit/sample-pictures'
import { expect, test } from 'vitest'
import { ParserDied, ReaderProcess } from '../reading/reader-process.ts'

const WORD = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
const SHEET = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
const SLIDES = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'
const ODT = 'application/vnd.oasis.opendocument.text'
const ZIP = 'application/zip'
const MB = 1024 ** 2

const of = (part: string, length: number): string => part.repeat(length)
const nested = (open: string, close: string, depth: number, inside = 'x'): string => of(open, depth) + inside + of(close, depth)
const zeros = (mb: number) => new Uint8Array(mb * MB)
const entities = `<!DOCTYPE a [<!ENTITY a0 "ha">${Array.from({ length: 30 }, (_, at) => `<!ENTITY a${at + 1} "${of(`&a${at};`, 10)}">`).join('')}]>`
const zipInZip = (depth: number): Uint8Array =>
  depth === 0 ? sampleZip({ a: zeros(8) }) : sampleZip({ 'a.zip': zipInZip(depth - 1), 'b.zip': zipInZip(depth - 1) })
const wordOf = (body: string) => sampleWord('x', [], { 'word/document.xml': `<w:document><w:body>${body}</w:body></w:document>` })
const pdf = (body: string) => `%PDF-1.4\n${body}\ntrailer\n<< /Root 1 0 R >>\n%%EOF`
const CATALOG = '1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n'
const PAGE = '3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>\nendobj\n'
const content = (text: string) => `4 0 obj\n<< /Length ${text.length} >>\nstream\n${text}\nendstream\nendobj`
const mail = (depth: number): string =>
  depth === 0 ? 'Subject: x\n\nx' : `Subject: x\nContent-Type: message/rfc822\n\n${mail(depth - 1)}`

/** A picture that says that it is this large, with next to nothing in it. */
function pngOf(width: number, height: number): Buffer {
  const size = Buffer.alloc(8)
  size.writeUInt32BE(width)
  size.writeUInt32BE(height, 4)
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR', 'latin1'),
    size,
    Buffer.from('\x08\x06\0\0\0\0\0\0\0\0\0\0\0IDAT', 'latin1'),
  ])
}
function gifOf(width: number, height: number): Buffer {
  const size = Buffer.from([width & 255, width >> 8, height & 255, height >> 8])
  return Buffer.concat([
    Buffer.from('GIF89a'),
    size,
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2c, 0, 0, 0, 0]),
    size,
    Buffer.from([0, 2, 2, 0x4c, 1, 0, 0x3b]),
  ])
}
/** Of one bit a pixel, and all of them white in one run. */
function tiffOf(width: number, height: number): Buffer {
  const entries = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 1],
    [259, 3, 4],
    [262, 3, 0],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, 4],
  ] as const
  const file = Buffer.alloc(12 + 2 + entries.length * 12 + 4)
  file.write('II*\0', 'latin1')
  file.writeUInt32LE(12, 4)
  file.writeUInt16LE(entries.length, 12)
  for (const [at, [tag, type, value]] of entries.entries()) {
    file.writeUInt16LE(tag, 14 + at * 12)
    file.writeUInt16LE(type, 16 + at * 12)
    file.writeUInt32LE(1, 18 + at * 12)
    file.writeUInt32LE(value, 22 + at * 12)
  }
  return file
}
function circle(): Buffer {
  const file = tiffOf(10, 10)
  file.writeUInt32LE(12, file.length - 4)
  return file
}

const BOMBS: Readonly<Record<string, readonly [FileMime, () => string | Uint8Array]>> = {
  'ZIP: one entry of zeros': [ZIP, () => sampleZip({ 'a.txt': zeros(200) })],
  'ZIP: many entries of zeros': [
    ZIP,
    () => sampleZip(Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`${at}.txt`, zeros(8)]))),
  ],
  'ZIP: just below the ratio': [
    ZIP,
    () => sampleZip(Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${at}.txt`, of(' ', MB - 1)]))),
  ],
  'ZIP: archives in archives': [ZIP, () => zipInZip(6)],
  'ZIP: too many entries': [
    ZIP,
    () => sampleZip(Object.fromEntries(Array.from({ length: 25_000 }, (_, at) => [`${at}.txt`, '']))),
  ],
  'ZIP: names that lead elsewhere': [ZIP, () => sampleZip({ '../../etc/passwd.txt': 'x', '/root/a.txt': 'y' })],
  'ZIP: a name of 60,000 letters': [ZIP, () => sampleZip({ [`${of('a', 60_000)}.txt`]: 'x' })],
  'ZIP: prototype names': [ZIP, () => sampleZip({ 'constructor.txt': 'x', 'toString.md': 'y' })],
  'ZIP: cut in the middle': [ZIP, () => sampleZip({ 'a.txt': of('abc', 50_000) }).subarray(0, 100)],
  'ZIP: sizes that lie': [
    ZIP,
    () => {
      const zip = sampleZip({ 'a.txt': of('x', 100_000) })
      zip.fill(0xff, zip.length - 60, zip.length - 40)
      return zip
    },
  ],
  'Word: a part of zeros': [WORD, () => sampleWord('x', [], { 'word/document.xml': of(' ', 200 * MB) })],
  'Word: entities': [WORD, () => sampleWord('x', [], { 'word/document.xml': `${entities}<w:document>&a30;</w:document>` })],
  'Word: tables in tables': [WORD, () => wordOf(nested('<w:tbl><w:tr><w:tc>', '</w:tc></w:tr></w:tbl>', 50_000))],
  'Word: paragraphs in paragraphs': [WORD, () => wordOf(nested('<w:p>', '</w:p>', 100_000))],
  'Word: styles based on each other': [
    WORD,
    () =>
      sampleWord('x', ['x'], {
        'word/styles.xml':
          '<w:style w:styleId="a"><w:basedOn w:val="b"/></w:style><w:style w:styleId="b"><w:basedOn w:val="a"/></w:style>',
      }),
  ],
  'Word: a list as deep as a number': [
    WORD,
    () => wordOf('<w:p><w:pPr><w:ilvl w:val="999999999"/></w:pPr><w:r><w:t>x</w:t></w:r></w:p>'),
  ],
  'Word: an attribute of many megabytes': [WORD, () => wordOf(`<w:p w:x="${of('a', 5 * MB)}"/>`)],
  'Excel: entities': [SHEET, () => sampleZip({ 'xl/workbook.xml': `${entities}<workbook>&a30;</workbook>` })],
  'Excel: cells far apart': [
    SHEET,
    () => sheetOf(Array.from({ length: 16_000 }, (_, at) => `<row><c r="${column(at)}${at}"><v>1</v></c></row>`).join('')),
  ],
  'Excel: a million rows': [SHEET, () => sheetOf(of('<row><c><v>1</v></c></row>', 1_000_000))],
  'Excel: many numbers of strings': [SHEET, () => sheetOf(of('<row><c t="s"><v>999999999</v></c></row>', 10_000))],
  'Excel: a string shown a million times': [
    SHEET,
    () => sheetOf(of('<row><c t="s"><v>0</v></c></row>', 500_000), `<sst><si><t>${of('long ', 2_000)}</t></si></sst>`),
  ],
  'Excel: sheets without end': [
    SHEET,
    () => sampleSheets(Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`s${at}`, [['x']]]))),
  ],
  'PowerPoint: the same slide again and again': [
    SLIDES,
    () =>
      sampleZip({
        'ppt/presentation.xml': of('<p:sldId r:id="r"/>', 100_000),
        'ppt/_rels/presentation.xml.rels': '<Relationship Id="r" Target="slide.xml"/>',
        'ppt/slide.xml': `<p:sld>${of('<a:p><a:r><a:t>x</a:t></a:r></a:p>', 20_000)}</p:sld>`,
      }),
  ],
  'OpenDocument: blanks without end': [
    ODT,
    () => sampleOpenDocument('text', 'x', of('<text:p><text:s text:c="999999999"/>x</text:p>', 10_000)),
  ],
  'OpenDocument: cells repeated': [
    ODT,
    () =>
      sampleOpenDocument(
        'spreadsheet',
        'x',
        `<table:table>${of('<table:table-row><table:table-cell table:number-columns-repeated="999999999"><text:p>x</text:p></table:table-cell></table:table-row>', 20_000)}</table:table>`,
      ),
  ],
  'OpenDocument: lists in lists': [
    ODT,
    () => sampleOpenDocument('text', 'x', nested('<text:list>', '</text:list>', 100_000, '<text:p>x</text:p>')),
  ],
  'EPUB: the same chapter again and again': [
    'application/epub+zip',
    () =>
      sampleZip({
        'META-INF/container.xml': '<rootfile full-path="a.opf"/>',
        'a.opf': `<item id="c" href="c.html" media-type="text/html"/>${of('<itemref idref="c"/>', 100_000)}`,
        'c.html': of('<p>x</p>', 20_000),
      }),
  ],
  'EPUB: a chapter nested too deeply': ['application/epub+zip', () => sampleBook('x', [of('<div>', 300_000)])],
  'XML: entities': ['application/xml', () => `${entities}<a>&a30;</a>`],
  'XML: an entity from a file': ['application/xml', () => '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'],
  'XML: nested': ['application/xml', () => nested('<a>', '</a>', 200_000)],
  'XML: attributes without end': [
    'application/xml',
    () => `<a ${Array.from({ length: 100_000 }, (_, at) => `a${at}="x"`).join(' ')}>x</a>`,
  ],
  'XML: tags that are never closed': ['application/xml', () => of('<a', 500_000)],
  'XML: text in text': ['application/xml', () => `<a>x${nested('<b>y', '</b>', 150, of('z', 100_000))}</a>`],
  'HTML: nested': ['text/html', () => of('<div>', 500_000)],
  'HTML: formatting nested': ['text/html', () => of('<b><i><a>', 300_000)],
  'HTML: tables nested': ['text/html', () => of('<table><tr><td>', 200_000)],
  'HTML: lists nested': ['text/html', () => of('<ul><li>x', 200_000)],
  'HTML: options without end': ['text/html', () => of('<p><option>x', 200_000)],
  'HTML: comments that are never closed': ['text/html', () => of('<!--', 500_000)],
  'HTML: attributes without end': ['text/html', () => `<p ${of('a="b" ', 500_000)}>x`],
  'HTML: character references': ['text/html', () => of('&notit;&#x1F600;', 200_000)],
  'Markdown: brackets': ['text/markdown', () => of('[', 500_000)],
  'Markdown: quotes nested': ['text/markdown', () => of('> ', 100_000)],
  'Markdown: lists nested': ['text/markdown', () => Array.from({ length: 2_000 }, (_, at) => `${of(' ', at)}- x`).join('\n')],
  'Markdown: emphasis': ['text/markdown', () => of('*a **b ', 150_000)],
  'Markdown: a table of one row and many columns': ['text/markdown', () => `${of('|a', 50_000)}|\n${of('|-', 50_000)}|\n`],
  'Markdown: backticks': ['text/markdown', () => Array.from({ length: 1_000 }, (_, at) => of('`', at)).join(' ')],
  'JSON: nested': ['application/json', () => nested('[', ']', 1_000_000, '')],
  'JSON: objects nested': ['application/json', () => nested('{"a":', '}', 500_000, '1')],
  'JSON: a list of a million': ['application/json', () => `[${of('1,', 1_000_000)}1]`],
  'JSON: prototype names': [
    'application/json',
    () => `{"__proto__": ${JSON.stringify(of('x', 2_000))}, "constructor": {"prototype": 1}}`,
  ],
  'CSV: quotes without end': ['text/csv', () => of('"', 500_001)],
  'CSV: quotes that are never closed, line after line': ['text/csv', () => of('"a\n', 100_000)],
  'CSV: a million columns': ['text/csv', () => of('a,', 1_000_000)],
  'RTF: groups nested': ['application/rtf', () => `{\\rtf1${of('{', 1_000_000)}`],
  'RTF: fallbacks and signs without end': ['application/rtf', () => `{\\rtf1 ${of("\\uc9\\u-1?\\'ff", 100_000)}}`],
  'RTF: cells without rows': ['application/rtf', () => `{\\rtf1 ${of('\\cell', 500_000)}\\row}`],
  'mail: messages in messages': ['message/rfc822', () => mail(2_000)],
  'mail: parts in parts': [
    'message/rfc822',
    () => Array.from({ length: 5_000 }, (_, at) => `Content-Type: multipart/mixed; boundary=b${at}\n\n--b${at}`).join('\n'),
  ],
  'mail: a head without end': ['message/rfc822', () => `Subject: ${of('=?utf-8?Q?a?= ', 300_000)}\n\nx`],
  'mailbox: messages without end': ['application/mbox', () => of('From a\n\nx\n\n', 100_000)],
  'code: indented more and more': [
    'text/x-python',
    () => Array.from({ length: 4_000 }, (_, at) => `${of(' ', at)}if x:`).join('\n'),
  ],
  'code: brackets': ['text/javascript', () => of('{[(', 500_000)],
  'PDF: pages that contain themselves': [
    'application/pdf',
    () => pdf(`${CATALOG}2 0 obj\n<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000 >>\nendobj`),
  ],
  'PDF: more pages than there are': [
    'application/pdf',
    () => pdf(`${CATALOG}2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 900000000 >>\nendobj\n${PAGE}`),
  ],
  'PDF: states that are never restored': [
    'application/pdf',
    () => pdf(`${CATALOG}2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n${PAGE}${content(of('q ', 500_000))}`),
  ],
  'PDF: arrays nested': ['application/pdf', () => pdf(`${CATALOG}2 0 obj\n<< /Type /Pages /Kids ${of('[', 200_000)} >>\nendobj`)],
  'PDF: a reference to itself': ['application/pdf', () => pdf('1 0 obj\n1 0 R\nendobj')],
  'PDF: a picture that lies about its size': ['application/pdf', () => sampleScan([Buffer.from('no picture')])],
  'PNG: a flood of pixels': ['image/png', () => pngOf(60_000, 60_000)],
  'PNG: the most that can be said': ['image/png', () => pngOf(0x7f_ff_ff_ff, 0x7f_ff_ff_ff)],
  'GIF: a flood of pixels': ['image/gif', () => gifOf(65_535, 65_535)],
  'TIFF: a flood of pixels': ['image/tiff', () => tiffOf(100_000, 100_000)],
  'TIFF: pictures in a circle': ['image/tiff', () => circle()],
}

function sheetOf(rows: string, strings = '<sst/>'): Uint8Array {
  return sampleZip({
    'xl/workbook.xml': '<workbook><sheet name="a" r:id="r"/></workbook>',
    'xl/_rels/workbook.xml.rels': '<Relationship Id="r" Target="sheet.xml"/>',
    'xl/sheet.xml': `<worksheet>${rows}</worksheet>`,
    'xl/sharedStrings.xml': strings,
  })
}

function column(at: number): string {
  const letters = [Math.floor(at / 676), Math.floor(at / 26) % 26, at % 26].map((one) => String.fromCharCode(65 + one))
  return letters.join('')
}

/** The most that any reader had at a time, in MB. */
async function memoryOfReaders(): Promise<number> {
  let most = 0
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    if (new RegExp(`^PPid:\\t${process.pid}$`, 'm').test(status))
      most = Math.max(most, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024)
  }
  return most
}

async function chunksOf(mime: FileMime, bytes: Uint8Array): Promise<string[]> {
  using reader = new ReaderProcess()
  const pieces = reader.read({
    mime,
    size: bytes.length,
    bytes: partsOf(bytes),
    chunks: { tokens: 400, overlap: 60 },
    signal: new AbortController().signal,
  })
  const texts: string[] = []
  for await (const piece of pieces) if ('chunk' in piece) texts.push(piece.chunk.text)
  return texts
}

async function* partsOf(bytes: Uint8Array) {
  yield bytes
}

/** `read`, or why not. */
async function outcomeOf(mime: FileMime, bytes: Uint8Array): Promise<string> {
  try {
    await chunksOf(mime, bytes)
    return 'read'
  } catch (error) {
    if (!(error instanceof Error)) throw error
    expect(error instanceof ParserDied || ('code' in error && error.code === 'VALIDATION_ERROR'), String(error)).toBe(true)
    return error.message
  }
}

test('there are at least 60 classes of bombs', () => {
  expect(Object.keys(BOMBS).length).toBeGreaterThanOrEqual(60)
})

test.each(Object.entries(BOMBS))(
  '%s: ends, within its memory, and another file is read meanwhile',
  async (_, [mime, make]) => {
    const made = make()
    let most = 0
    const watch = setInterval(() => void memoryOfReaders().then((mb) => (most = Math.max(most, mb))), 50)
    try {
      const bomb = outcomeOf(mime, typeof made === 'string' ? Buffer.from(made) : made)
      await expect(chunksOf('text/plain', Buffer.from('A good file.'))).resolves.toEqual(['A good file.'])
      expect(await bomb).toMatch(/\w/)
    } finally {
      clearInterval(watch)
    }
    // What a process takes within one look of the watch comes on top.
    expect(most).toBeLessThan(640)
  },
  120_000,
)

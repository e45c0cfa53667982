import {
  sampleBook,
  sampleOpenDocument,
  sampleSheets,
  sampleSlides,
  sampleWord,
  sampleZip,
} from '@youworker/test-kit/sample-office'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { samplePicture, sampleScan } from '@youworker/test-kit/sample-pictures'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { ROOT } from './support/root.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

const own = (path: string) => readFile(join(ROOT, path))
const table = (rows: readonly (readonly string[])[]) =>
  rows
    .map(
      (row) =>
        `<table:table-row>${row.map((cell) => `<table:table-cell><text:p>${cell}</text:p></table:table-cell>`).join('')}</table:table-row>`,
    )
    .join('')
const mail = (subject: string, words: string) =>
  `From: a@example.org\nSubject: ${subject}\nContent-Type: text/plain\n\n${words}\n`

/** Each file with a word that stands in no other one, and how a hit names where it was found. */
async function filesWithWords(): Promise<Record<string, readonly [content: string | Uint8Array, word: string, found?: object]>> {
  return {
    'song.txt': ['The free software song, by aardvark', 'aardvark'],
    'ranking.txt': ['BM25 is what badger uses', 'badger'],
    'disk.log': ['solid state, said caracal', 'caracal'],
    README: ['No ending, but dingo', 'dingo'],
    'umlaut.txt': [Buffer.from('Größe über alles, heißt es; echidna', 'latin1'), 'echidna'],
    'wide.txt': [Buffer.from('\uFEFFWide letters of ferret', 'utf16le'), 'ferret'],
    'notes.md': ['# Notes\n\n## Gibbons\n\nA gibbon.', 'gibbon', { title_path: ['Notes', 'Gibbons'] }],
    'page.html': ['<nav>menu</nav><h1>Page</h1><p>A hedgehog.</p>', 'hedgehog', { title_path: ['Page'] }],
    'list.csv': ['Animal,Days\nibex,3\n', 'ibex'],
    'list.tsv': ['Animal\tDays\njackal\t3\n', 'jackal'],
    'data.json': ['{"name": "kinkajou"}', 'kinkajou'],
    'lines.jsonl': ['{"name":"lemur"}\n{"name":"other"}\n', 'lemur'],
    'setup.yaml': ['animals:\n  - marmot\n', 'marmot'],
    'setup.toml': ['animal = "narwhal"\n', 'narwhal'],
    'feed.xml': ['<feed><entry><title>ocelot</title></entry></feed>', 'ocelot'],
    'drawing.svg': ['<svg><text>pangolin</text></svg>', 'pangolin'],
    'code.ts': ['export const quokka = 1\n', 'quokka'],
    'code.py': ['def raccoon():\n    return 1\n', 'raccoon'],
    'code.go': ['func serval() {}\n', 'serval'],
    'code.sql': ['select tapir from zoo;\n', 'tapir'],
    'code.sh': ['echo urial\n', 'urial'],
    'style.css': ['.vicuna { color: red }\n', 'vicuna'],
    'letter.rtf': ['{\\rtf1 Dear wallaby\\par}', 'wallaby'],
    'mail.eml': [mail('Hello', 'From the xerus'), 'xerus'],
    'mails.mbox': [`From a Mon\n${mail('One', 'yak')}\nFrom b Mon\n${mail('Two', 'other')}`, 'yak', { title_path: ['One'] }],
    'letter.docx': [sampleWord('Letter', [['H1', 'Animals'], 'A zebu.']), 'zebu', { title: 'Letter', title_path: ['Animals'] }],
    'stock.xlsx': [
      sampleSheets({
        Herd: [
          ['Animal', 'Days'],
          ['alpaca', 3],
        ],
      }),
      'alpaca',
      { title_path: ['Herd'] },
    ],
    'plan.pptx': [
      sampleSlides('Plan', [
        { title: 'One', lines: ['x'] },
        { title: 'Two', lines: ['bison'], notes: 'y' },
      ]),
      'bison',
      { page: 2 },
    ],
    'text.odt': [
      sampleOpenDocument('text', 'T', '<text:h>Animals</text:h><text:p>A chamois.</text:p>'),
      'chamois',
      { title_path: ['Animals'] },
    ],
    'sheet.ods': [
      sampleOpenDocument(
        'spreadsheet',
        'S',
        `<table:table table:name="Herd">${table([
          ['Animal', 'Days'],
          ['dromedary', '3'],
        ])}</table:table>`,
      ),
      'dromedary',
    ],
    'show.odp': [
      sampleOpenDocument('presentation', 'P', '<draw:page draw:name="One"><text:p>eland</text:p></draw:page>'),
      'eland',
      { page: 1 },
    ],
    'book.epub': [sampleBook('Book', ['<h1>One</h1><p>A fennec.</p>']), 'fennec', { title: 'Book' }],
    'pack.zip': [
      sampleZip({ 'in/a.md': '# A\n\nA gazelle.', 'in/b.exe': Uint8Array.from([0x4d, 0x5a, 0, 1]) }),
      'gazelle',
      { title_path: ['in/a.md', 'A'] },
    ],
    'paper.pdf': [samplePdf([['First page'], ['hyena']]), 'hyena', { page: 2 }],
    'scan.pdf': [sampleScan([await samplePicture('jpg')]), 'warm garden', { page: 1 }],
    'scan.tif': [await samplePicture('tif'), 'second page', { page: 2 }],
    'photo.png': [await samplePicture('png'), 'leave'],
    'photo.jpg': [await samplePicture('jpg'), 'leave'],
    'photo.webp': [await samplePicture('webp'), 'leave'],
    'photo.gif': [await samplePicture('gif'), 'leave'],
    'package.json': [await own('package.json'), 'turbo'],
    LICENSE: [await own('LICENSE'), 'licensor'],
  }
}

const REFUSED: Readonly<Record<string, readonly [content: string | Uint8Array, reason: RegExp]>> = {
  'lie.txt': [samplePdf([['x']]), /application\/pdf/],
  'lie.docx': [sampleZip({ 'a.txt': 'x' }), /not a Word document/],
  'old.doc': [Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...new Uint8Array(504)]), /save it as \.docx/],
  'program.exe': [Uint8Array.from([0x4d, 0x5a, 0x90, 0, 3]), /send text/],
  'broken.json': ['{"a": ', /valid JSON/],
  'broken.pdf': ['%PDF-1.7\nnothing', /damaged/],
  'nothing.html': ['<script>x</script>', /holds no text/],
}

test('a folder of more than 40 files of all types is read: each can be found by its words, or says why it was not read', async () => {
  const files = await filesWithWords()
  const names = Object.keys(files)
  expect(names.length).toBeGreaterThanOrEqual(40)
  const uploads = [...Object.entries(files), ...Object.entries(REFUSED)].map(([name, [content]]) => ({ name, content }))
  const { status, body } = await ada.upload(uploads)
  expect(status, JSON.stringify(body)).toBe(200)
  const outcomes = new Map(body.files.map((file: Record<string, unknown>) => [file['path'], file]))
  for (const name of names) expect(outcomes.get(name), name).toMatchObject({ status: 'success' })
  for (const [name, [, reason]] of Object.entries(REFUSED)) {
    expect(outcomes.get(name), name).toMatchObject({ status: 'failed', error: expect.stringMatching(reason) })
  }
  for (const file of body.files) expect(file.status === 'success' ? file.chunks : 1, file.path).toBeGreaterThan(0)
  for (const [name, [, word, found = {}]] of Object.entries(files)) {
    const answer = await ada.post('/v1/search', { query: word, mode: 'lexical', top_k: 20 })
    const hits: { uri: string }[] = answer.body.results
    if (word !== 'leave')
      expect(
        hits.find(({ uri }) => uri.endsWith(name)),
        `${name}: ${word}`,
      ).toMatchObject(found)
    else expect(hits.length).toBeGreaterThan(0)
  }
}, 300_000)

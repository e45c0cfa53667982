import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { expect, test } from 'vitest'
import { detectFileType } from './detect-file-type.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const png = Uint8Array.from([
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0,
])

const jpeg = Uint8Array.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0])
const gif = Uint8Array.from([...bytes('GIF89a'), 1, 0, 1, 0, 0x80, 0, 0])
const office = Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ...Array.from({ length: 504 }, () => 0)])

test.each([
  ['notes/a.md', bytes('# Título — 日本語'), 'text/markdown'],
  ['A.HTML', bytes('<p>x</p>'), 'text/html'],
  ['a.txt', bytes('plain'), 'text/plain'],
  ['a.pdf', samplePdf([['x']]), 'application/pdf'],
  ['song.txt', bytes('The free software song'), 'text/plain'],
  ['bm.txt', bytes('BM25 is a ranking function'), 'text/plain'],
  ['solid.md', bytes('solid state'), 'text/markdown'],
  ['about.txt', bytes('%PDF-1.7 is how the file begins, in one line'), 'text/plain'],
  ['zip.txt', bytes('PK is the mark of Phil Katz'), 'text/plain'],
  ['id3.txt', bytes('ID3 tags hold titles'), 'text/plain'],
  ['README', bytes('no ending'), 'text/plain'],
  ['notes.unknown', bytes('what decodes as text is text'), 'text/plain'],
  ['page', bytes('<!DOCTYPE html><p>x'), 'text/html'],
  ['scan', samplePdf([['x']]), 'application/pdf'],
  ['latin1.txt', Uint8Array.from([0x63, 0x61, 0x66, 0xe9, 0x20]), 'text/plain'],
  ['bitmap1252.txt', Buffer.from('BM25 heißt: größer', 'latin1'), 'text/plain'],
  ['utf16.csv', Buffer.from('\uFEFFa;b', 'utf16le'), 'text/csv'],
  ['utf16-without-mark.txt', Buffer.from('Größe und Gewicht', 'utf16le'), 'text/plain'],
  ['a.py', bytes('print(1)'), 'text/x-python'],
])('%s is taken', async (name, head, mime) => {
  await expect(detectFileType(name, head)).resolves.toEqual({ ok: true, mime })
})

test.each([
  ['empty.md', bytes(''), 'VALIDATION_ERROR', /empty/],
  ['lie.pdf', bytes('I am no PDF'), 'UNSUPPORTED_MEDIA_TYPE', /not a PDF/],
  ['lie.md', png, 'UNSUPPORTED_MEDIA_TYPE', /image\/png/],
  ['lie.txt', samplePdf([['x']]), 'UNSUPPORTED_MEDIA_TYPE', /application\/pdf/],
  ['lie.json', jpeg, 'UNSUPPORTED_MEDIA_TYPE', /image\/jpeg/],
  ['lie.html', gif, 'UNSUPPORTED_MEDIA_TYPE', /image\/gif/],
  ['nul.txt', bytes('a\0b'), 'UNSUPPORTED_MEDIA_TYPE', /neither that nor text/],
  ['zeros.bin', new Uint8Array(64), 'UNSUPPORTED_MEDIA_TYPE', /no text/],
  ['talk.avi', Buffer.from('RIFF\0\0\0\0AVI LIST\0\0\0\0hdrl', 'latin1'), 'UNSUPPORTED_MEDIA_TYPE', /send WAV, MP3/],
  ['letter.doc', office, 'UNSUPPORTED_MEDIA_TYPE', /save it as \.docx/],
])('%s is refused with a reason', async (name, head, code, reason) => {
  const check = await detectFileType(name, head)
  expect(check).toMatchObject({ ok: false, code, reason: expect.stringMatching(reason) })
})

test('the head may end inside a character; the declared type is used for a name without an ending', async () => {
  const head = bytes('日本語').subarray(0, 8)
  await expect(detectFileType('README', head, 'text/markdown; charset=utf-8')).resolves.toEqual({
    ok: true,
    mime: 'text/markdown',
  })
})

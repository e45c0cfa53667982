import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { expect, test } from 'vitest'
import { detectFileType } from './detect-file-type.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const png = Uint8Array.from([
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0,
])

test.each([
  ['notes/a.md', bytes('# Título — 日本語'), 'text/markdown'],
  ['A.HTML', bytes('<p>x</p>'), 'text/html'],
  ['a.txt', bytes('plain'), 'text/plain'],
  ['a.pdf', samplePdf([['x']]), 'application/pdf'],
])('%s is taken', async (name, head, mime) => {
  await expect(detectFileType(name, head)).resolves.toEqual({ ok: true, mime })
})

test.each([
  ['empty.md', bytes(''), 'VALIDATION_ERROR', /empty/],
  ['a.exe', bytes('MZ'), 'UNSUPPORTED_MEDIA_TYPE', /\.pdf/],
  ['README', bytes('no ending'), 'UNSUPPORTED_MEDIA_TYPE', /not supported/],
  ['lie.pdf', bytes('I am no PDF'), 'UNSUPPORTED_MEDIA_TYPE', /not a PDF/],
  ['lie.md', png, 'UNSUPPORTED_MEDIA_TYPE', /image\/png/],
  ['lie.txt', samplePdf([['x']]), 'UNSUPPORTED_MEDIA_TYPE', /application\/pdf/],
  ['nul.txt', bytes('a\0b'), 'UNSUPPORTED_MEDIA_TYPE', /UTF-8/],
  ['latin1.txt', Uint8Array.from([0x63, 0x61, 0x66, 0xe9, 0x20]), 'UNSUPPORTED_MEDIA_TYPE', /UTF-8/],
])('%s is refused with a reason', async (name, head, code, reason) => {
  const check = await detectFileType(name, head)
  expect(check).toMatchObject({ ok: false, code, reason: expect.stringMatching(reason) })
})

test('the head may end inside a character; the declared type is used for a name without an ending', async () => {
  const head = bytes('日本語').subarray(0, 8)
  await expect(detectFileType('README', head, 'text/plain; charset=utf-8')).resolves.toEqual({ ok: true, mime: 'text/plain' })
})

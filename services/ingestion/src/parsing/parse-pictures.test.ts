import type { FileMime } from '@youworker/contracts/file-types'
import { samplePicture, sampleScan } from '@youworker/test-kit/sample-pictures'
import { expect, test } from 'vitest'
import { detectFileType } from './detect-file-type.ts'
import { parseFile } from './test-parse.ts'

const WORDS = /Bees need 27 days of leave\s+and a warm garden/

test.each<['png' | 'jpg' | 'gif' | 'webp', FileMime]>([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['gif', 'image/gif'],
  ['webp', 'image/webp'],
])('the words in a picture are read: %s', async (format, mime) => {
  const bytes = await samplePicture(format)
  await expect(detectFileType(`note.${format}`, bytes)).resolves.toEqual({ ok: true, mime })
  expect((await parseFile({ bytes, mime })).text).toMatch(WORDS)
})

test('a scan in TIFF is read page after page', async () => {
  const bytes = await samplePicture('tif')
  await expect(detectFileType('note.tif', bytes.subarray(0, 4_096))).resolves.toEqual({ ok: true, mime: 'image/tiff' })
  const { blocks } = await parseFile({ bytes, mime: 'image/tiff' })
  expect(blocks.map(({ page, text }) => [page, text])).toEqual([
    [1, expect.stringMatching(WORDS)],
    [2, expect.stringMatching(/The second page/)],
  ])
})

test('a PDF without a text layer is read by the pictures of its pages', async () => {
  const picture = await samplePicture('jpg')
  const { blocks } = await parseFile({ bytes: sampleScan([picture, picture]), mime: 'application/pdf' })
  expect(blocks.map(({ page, text }) => [page, text])).toEqual([
    [1, expect.stringMatching(WORDS)],
    [2, expect.stringMatching(WORDS)],
  ])
})

test('a picture whose name says another kind of picture is read as what it is', async () => {
  await expect(detectFileType('photo.png', await samplePicture('jpg'))).resolves.toEqual({ ok: true, mime: 'image/jpeg' })
})

const blank = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

test.each<[string, Uint8Array, FileMime, string[], RegExp]>([
  ['without words', blank, 'image/gif', ['eng'], /no text was recognised/],
  ['that is damaged', Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1'), 'image/png', ['eng'], /save it as PNG/],
  ['in a language that is not installed', blank, 'image/gif', ['xxx'], /INGEST__OCR_LANGUAGES.*install @tesseract\.js-data\/xxx/],
])('a picture %s is refused with a reason', async (_, bytes, mime, languages, reason) => {
  const call = parseFile({ bytes, mime, languages })
  await expect(call).rejects.toMatchObject({ code: 'VALIDATION_ERROR', message: expect.stringMatching(reason) })
})

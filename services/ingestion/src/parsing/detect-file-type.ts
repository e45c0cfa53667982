import { extname } from 'node:path/posix'
import {
  type FileFamily,
  type FileMime,
  familyOf,
  FILE_FORMATS,
  isFileMime,
  mimeOfExtension,
  READABLE_KINDS,
} from '@youworker/contracts/file-types'
import { fileTypeFromBuffer } from 'file-type'
import { isText } from './text-encoding.ts'

/** How much of a file is checked. */
export const HEAD_BYTES = 4_096

export type FileCheck =
  | { readonly ok: true; readonly mime: FileMime }
  | { readonly ok: false; readonly code: 'UNSUPPORTED_MEDIA_TYPE' | 'VALIDATION_ERROR'; readonly reason: string }

/** Families whose files are texts themselves. */
const TEXTS: ReadonlySet<FileFamily> = new Set([
  'text',
  'captions',
  'markdown',
  'html',
  'table',
  'json',
  'json-lines',
  'code',
  'xml',
  'rtf',
  'email',
  'mailbox',
])

/** Families whose files are ZIP archives. What is in one is checked when it is read. */
const ZIPPED: ReadonlySet<FileFamily> = new Set(['word', 'sheets', 'slides', 'open-document', 'epub', 'zip'])

/** What helps with a type that is not read, by what its content is found to be. */
const INSTEAD: Readonly<Record<string, string>> = {
  'application/x-cfb': 'an older or protected document of Office; save it as .docx, .xlsx or .pptx without a password',
  'application/gzip': 'a compressed file; send what is in it, or a ZIP of it',
  'application/x-tar': 'an archive; send what is in it, or a ZIP of it',
  'application/x-7z-compressed': 'an archive; send what is in it, or a ZIP of it',
  'application/x-rar-compressed': 'an archive; send what is in it, or a ZIP of it',
  'image/heic': 'a picture in HEIC; save it as JPEG or PNG',
  'image/avif': 'a picture in AVIF; save it as JPEG or PNG',
}

const OTHER_RECORDINGS = 'WAV, MP3, M4A, Ogg, FLAC, WebM or MP4'

/** Detects the type of a file by its name and its first {@link HEAD_BYTES}; the declared type counts only where the name has no ending. */
export async function detectFileType(name: string, head: Uint8Array, declaredMime?: string): Promise<FileCheck> {
  if (head.length === 0) return { ok: false, code: 'VALIDATION_ERROR', reason: 'the file is empty' }
  const named = mimeOf(name, declaredMime)
  if (isZip(head) && (named === undefined || ZIPPED.has(familyOf(named)))) return { ok: true, mime: named ?? 'application/zip' }
  return isPdf(head, named) ? pdf(named) : isText(head) ? textual(named, head) : binary(named, head)
}

function pdf(named: FileMime | undefined): FileCheck {
  if (named === undefined || named === 'application/pdf') return { ok: true, mime: 'application/pdf' }
  return unsupported(`the name says ${named}, but the content is application/pdf`)
}

/** What decodes as text is text, whatever its first bytes look like and whatever an unknown ending may mean. */
function textual(named: FileMime | undefined, head: Uint8Array): FileCheck {
  if (named === undefined) return { ok: true, mime: textMime(head) }
  if (TEXTS.has(familyOf(named))) return { ok: true, mime: named }
  return unsupported(`the name says ${FILE_FORMATS[named].name}, but the content is text and not a ${FILE_FORMATS[named].name}`)
}

async function binary(named: FileMime | undefined, head: Uint8Array): Promise<FileCheck> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  const help = INSTEAD[found?.mime ?? '']
  if (help !== undefined) return unsupported(`the content is ${help}`)
  const picture = pictureOf(head, found?.mime)
  if (picture && (named === undefined || familyOf(named) === 'image')) return { ok: true, mime: picture }
  const recording = recordingOf(head, found?.mime)
  if (recording && (named === undefined || familyOf(named) === 'recording')) return { ok: true, mime: recording }
  if (named === undefined) {
    const other = /^(?:audio|video)\//.test(found?.mime ?? '') ? OTHER_RECORDINGS : READABLE_KINDS
    return unsupported(`the content is ${found?.mime ?? 'no text'}, which is not read; send ${other}`)
  }
  const name = FILE_FORMATS[named].name
  return unsupported(`the name says ${name}, but the content is ${found?.mime ?? 'neither that nor text'}; send it as what it is`)
}

/** What names the parts of a TIFF may stand at its end, where it is not looked for. */
const TIFF = new Set(['II*\0', 'MM\0*'])

function pictureOf(head: Uint8Array, found: string | undefined): FileMime | undefined {
  if (TIFF.has(Buffer.from(head.subarray(0, 4)).toString('latin1'))) return 'image/tiff'
  return found !== undefined && isFileMime(found) && familyOf(found) === 'image' ? found : undefined
}

/** The same formats under other names. */
const RECORDINGS: Readonly<Record<string, FileMime>> = {
  'audio/x-m4a': 'audio/mp4',
  'audio/ogg; codecs=opus': 'audio/ogg',
  'video/ogg': 'audio/ogg',
  'video/x-m4v': 'video/mp4',
}

function recordingOf(head: Uint8Array, found = ''): FileMime | undefined {
  // Behind a tag with a picture the sound begins later.
  const mime = Buffer.from(head.subarray(0, 3)).toString('latin1') === 'ID3' ? 'audio/mpeg' : (RECORDINGS[found] ?? found)
  return isFileMime(mime) && familyOf(mime) === 'recording' ? mime : undefined
}

const unsupported = (reason: string): FileCheck => ({ ok: false, code: 'UNSUPPORTED_MEDIA_TYPE', reason })

function mimeOf(name: string, declaredMime: string | undefined): FileMime | undefined {
  const extension = extname(name)
  if (extension !== '') return mimeOfExtension(extension)
  const declared = declaredMime?.split(';', 1)[0]?.trim().toLowerCase()
  return declared !== undefined && isFileMime(declared) ? declared : undefined
}

const HTML = /^\s*(?:<!doctype html|<html)[\s>]/i
const XML = /^\s*<\?xml\s/
const RTF = /^\{\\rtf\d/

/** For a text whose name does not tell. */
function textMime(head: Uint8Array): FileMime {
  const start = new TextDecoder().decode(head.subarray(0, 256))
  if (RTF.test(start)) return 'application/rtf'
  if (HTML.test(start)) return 'text/html'
  return XML.test(start) ? 'application/xml' : 'text/plain'
}

/** With a line of its own, as every program writes it: a text may begin with the same signs. */
const PDF_LINE = /%PDF-\d\.\d\s*[\r\n]/
const PDF_OBJECT = /\d \d{1,5} obj\b/

/** Readers accept the mark anywhere in the first 1,024 bytes (ISO 32000-1, annex H, note 13). */
function isPdf(head: Uint8Array, named: FileMime | undefined): boolean {
  const start = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1')
  const mark = start.slice(0, 1_024).search(named === 'application/pdf' ? /%PDF-/ : PDF_LINE)
  return mark !== -1 && (named === 'application/pdf' || (mark === 0 && (!isText(head) || PDF_OBJECT.test(start))))
}

/** With an entry, or empty (APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.3.16). */
const isZip = ([p, k, third, fourth]: Uint8Array): boolean =>
  p === 0x50 && k === 0x4b && ((third === 3 && fourth === 4) || (third === 5 && fourth === 6))

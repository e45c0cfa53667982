import { extname } from 'node:path/posix'
import { FILE_EXTENSIONS, type FileMime, isFileMime, mimeOfExtension } from '@youworker/contracts/file-types'
import { fileTypeFromBuffer } from 'file-type'

/** How much of a file is checked. */
export const HEAD_BYTES = 4_096

const EXTENSIONS = FILE_EXTENSIONS.join(', ')

export type FileCheck =
  | { readonly ok: true; readonly mime: FileMime }
  | { readonly ok: false; readonly code: 'UNSUPPORTED_MEDIA_TYPE' | 'VALIDATION_ERROR'; readonly reason: string }

/** Detects the type of a file by its name and its first {@link HEAD_BYTES}; the declared type counts only where the name has no ending. */
export async function detectFileType(name: string, head: Uint8Array, declaredMime?: string): Promise<FileCheck> {
  if (head.length === 0) return { ok: false, code: 'VALIDATION_ERROR', reason: 'the file is empty' }
  const mime = mimeOf(name, declaredMime)
  if (mime === undefined) return unsupported(`this type of file is not supported; send one of ${EXTENSIONS}`)
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  if (mime === 'application/pdf') {
    return isPdf(head) ? { ok: true, mime } : unsupported('the name says PDF, but the content is not a PDF')
  }
  if (found && !found.mime.startsWith('text/') && found.mime !== 'application/xml') {
    return unsupported(`the name says ${mime}, but the content is ${found.mime}`)
  }
  return isText(head) ? { ok: true, mime } : unsupported('the content is not UTF-8 text; save it as UTF-8 and send it again')
}

const unsupported = (reason: string): FileCheck => ({ ok: false, code: 'UNSUPPORTED_MEDIA_TYPE', reason })

function mimeOf(name: string, declaredMime: string | undefined): FileMime | undefined {
  const extension = extname(name)
  if (extension !== '') return mimeOfExtension(extension)
  const declared = declaredMime?.split(';', 1)[0]?.trim().toLowerCase()
  return declared !== undefined && isFileMime(declared) ? declared : undefined
}

/** Readers accept the mark anywhere in the first 1,024 bytes (ISO 32000-1, annex H, note 13). */
function isPdf(head: Uint8Array): boolean {
  return Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 1_024)).includes('%PDF-')
}

function isText(head: Uint8Array): boolean {
  if (head.includes(0)) return false
  try {
    // `stream`: the head may end in the middle of a character.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return true
  } catch {
    return false
  }
}

import { isFileMime } from '@youworker/contracts/file-types'
import { detectFileType, HEAD_BYTES } from '../../parsing/detect-file-type.ts'
import type { NewRunFile } from '../../repositories/run-repository.ts'
import type { CheckedFile } from '../runs/run-starter.ts'
import type { GatheredFile } from './source-files.ts'

/** What the site says of a page counts more than the ending of its address, which may be `.php`. */
export async function checkGathered({ blob, head, path, uri, mime }: GatheredFile): Promise<CheckedFile> {
  const name = mime !== undefined && isFileMime(mime) ? 'page' : path
  const found = await detectFileType(name, head.subarray(0, HEAD_BYTES), mime)
  const check = found.ok ? { path, uri, mime: found.mime } : { path, uri, mime: null, code: found.code, reason: found.reason }
  return { blob, check }
}

/** Of a file that could not be had. */
export function failedRow(index: number, name: { readonly path: string; readonly uri: string }, reason: string): NewRunFile {
  const ended = { status: 'failed', stage: 'done', percent: 100 } as const
  const fetched = { step: 'fetched', at: new Date().toISOString(), duration_ms: 0, attempt: 0, error: reason } as const
  return { index, ...name, ...ended, mime: null, size_bytes: 0, blob_id: null, sha256: null, error: reason, timeline: [fetched] }
}

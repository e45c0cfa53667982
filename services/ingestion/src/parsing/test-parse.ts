import { AppError } from '@youworker/contracts/errors'
import type { FileMime } from '@youworker/contracts/file-types'
import { reasonOf } from '../reading/read-file.ts'
import { loadParser } from './parse-file.ts'
import type { ParsedDocument } from './parsed-document.ts'

/** Parses as the confined child does, in this process. Throws what its caller throws. */
export async function parseFile({
  bytes,
  mime,
  languages = ['eng'],
}: {
  bytes: Uint8Array
  mime: FileMime
  languages?: readonly string[]
}): Promise<ParsedDocument> {
  const parse = await loadParser(mime)
  try {
    return await parse(Uint8Array.from(bytes), { languages, stepDone: () => {} })
  } catch (error) {
    throw new AppError('VALIDATION_ERROR', reasonOf(error))
  }
}

import { createHash } from 'node:crypto'
import type { ChunkSize } from '../../chunking/chunk-document.ts'
import { CHUNKING } from '../../chunking/chunking-parameters.ts'
import { PARSING } from '../../parsing/parsing-parameters.ts'

/** Stored with each document; another one means that the same file would give other chunks now. */
export function pipelineVersion({ tokens, overlap }: ChunkSize): string {
  const parameters = JSON.stringify([PARSING, CHUNKING, tokens, overlap])
  return createHash('sha256').update(parameters).digest('hex').slice(0, 16)
}

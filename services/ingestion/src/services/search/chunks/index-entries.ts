import { setImmediate as nextTurn } from 'node:timers/promises'
import { analyse } from '../../../analysis/analyse.ts'
import { UNKNOWN } from '../../../analysis/unknown-language.ts'
import type { IndexableChunk } from '../../../repositories/index-repository.ts'
import type { IndexEntry } from '../search-index.ts'

const TEXTS_A_TURN = 16

/** A search that comes meanwhile does not wait for hundreds of texts. `seqOf`: the change that a document's version came with. */
export async function entriesOf(chunks: readonly IndexableChunk[], seqOf: (documentId: string) => number): Promise<IndexEntry[]> {
  const entries: IndexEntry[] = []
  for (const chunk of chunks) {
    if (entries.length % TEXTS_A_TURN === TEXTS_A_TURN - 1) await nextTurn()
    entries.push(entryOf(chunk, seqOf(chunk.document_id)))
  }
  return entries
}

function entryOf(
  { chunk_id, document_id, generation, title, title_path, text, language, vector }: IndexableChunk,
  seq: number,
): IndexEntry {
  const spoken = language ?? UNKNOWN
  const heading = analyse([title, ...title_path].join('\n'), spoken).join(' ')
  return { chunk_id, document_id, generation, seq, heading, body: analyse(text, spoken).join(' '), vector }
}

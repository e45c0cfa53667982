import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import type { ContentsQuery, IndexedChunk } from '../../services/search/search-index.ts'

export function readContents(db: SqliteFile, { document_id, after = '', limit }: ContentsQuery): IndexedChunk[] {
  const rows = db
    .prepare(
      `select c.chunk_id, c.document_id, c.generation, exists (select 1 from vectors v where v.id = c.id) as has_vector from chunks c
       where c.chunk_id > :after ${document_id === undefined ? '' : 'and c.document_id = :document_id'} order by c.chunk_id limit :limit`,
    )
    .all({ after, limit: BigInt(limit), ...(document_id === undefined ? {} : { document_id }) })
  return rows.map((row) => ({
    chunk_id: String(row['chunk_id']),
    document_id: String(row['document_id']),
    generation: Number(row['generation']),
    has_vector: row['has_vector'] === 1,
  }))
}

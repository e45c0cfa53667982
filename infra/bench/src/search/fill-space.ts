import type pg from 'pg'
import { Corpus } from './corpus.ts'

const CHUNKS_A_DOCUMENT = 250

interface FillSpaceOptions {
  readonly spaceId: string
  /** The numbers of the chunks. */
  readonly from: number
  readonly to: number
  readonly corpus: Corpus
  /** Gets the vectors of all chunks. */
  readonly vectors: Float32Array[]
}

/** Adds chunks with their vectors to a space, as copies of what its first document has, and says that they have changed. */
export async function fillSpace(database: pg.Client, { spaceId, from, to, corpus, vectors }: FillSpaceOptions): Promise<void> {
  const others = await otherColumns(database)
  for (let first = from; first < to; first += CHUNKS_A_DOCUMENT) {
    const chunks = Array.from({ length: Math.min(CHUNKS_A_DOCUMENT, to - first) }, () => corpus.chunk())
    chunks.forEach(({ vector }) => vectors.push(vector))
    const document = crypto.randomUUID()
    await database.query('begin')
    const copied = await database.query(
      `insert into ingestion.documents select (jsonb_populate_record(d, jsonb_build_object('id', $2::text, 'path', $2::text, 'path_hash', encode(sha256($2::bytea), 'hex'), 'sha256', encode(sha256($2::bytea), 'hex')))).*
       from ingestion.documents d where d.space_id = $1 order by d.created_at limit 1 returning generation`,
      [spaceId, document],
    )
    if (copied.rowCount !== 1) throw new Error('the space has no document to copy')
    const texts = chunks.map(({ text }) => text)
    await database.query(
      `insert into ingestion.chunks (id, document_id, index, text, text_hash, ${others.join(', ')})
       select n.id, $2, n.at - 1, n.text, encode(sha256(n.text::bytea), 'hex'), ${others.map((name) => `c.${name}`).join(', ')}
       from unnest($3::uuid[], $4::text[]) with ordinality as n(id, text, at), (select * from ingestion.chunks where space_id = $1 order by index limit 1) c`,
      [spaceId, document, chunks.map((_, at) => Corpus.idOf(first + at)), texts],
    )
    await database.query(
      `insert into ingestion.embeddings (space_id, model, text_hash, vector)
       select $1, (select model from ingestion.embeddings where space_id = $1 limit 1), encode(sha256(n.text::bytea), 'hex'), n.vector
       from unnest($2::text[], $3::bytea[]) as n(text, vector) on conflict do nothing`,
      [spaceId, texts, chunks.map(({ vector }) => Buffer.from(vector.buffer))],
    )
    await database.query('update ingestion.space_indexes set seq = seq + 1 where space_id = $1', [spaceId])
    await database.query(
      `insert into ingestion.index_changes (space_id, document_id, seq) select space_id, $2, seq from ingestion.space_indexes where space_id = $1`,
      [spaceId, document],
    )
    await database.query('commit')
  }
  // As autovacuum does in time.
  await database.query('analyze ingestion.chunks, ingestion.documents, ingestion.embeddings')
}

/** Those of a chunk that are copied. */
async function otherColumns(database: pg.Client): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute where attrelid = 'ingestion.chunks'::regclass and attnum > 0 and not attisdropped
     and attgenerated = '' and attname not in ('id', 'document_id', 'index', 'text', 'text_hash')`,
  )
  return rows.map(({ name }) => name)
}

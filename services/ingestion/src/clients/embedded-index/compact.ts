import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import type { ChunkLengths } from './terms/chunk-lengths.ts'
import type { Segments } from './terms/segments.ts'
import type { Vectors } from './vectors/vectors.ts'
import { ANY_NUMBER } from './layout.ts'

const FEW = 65_536
const SHARE = 3

interface Parts {
  readonly lengths: ChunkLengths
  readonly segments: Segments
  readonly vectors: Vectors
}

/** Writes anew what still has something of chunks that are gone. Part of a transaction. */
export function dropRemains(db: SqliteFile, { segments, vectors }: Parts): void {
  const live = db.prepare('select id from chunks').all()
  changedPages(db)
  segments.renumber(new Map(live.map(({ id }) => [Number(id), Number(id)])))
  vectors.forgetCodes()
  vectors.tidy(lastNumber(db) + 1, live.length)
}

/**
 * Numbers the chunks anew when most numbers belong to chunks that are gone, because a search looks at each number. Part of the
 * transaction that removed them.
 */
export function compactIfSparse(db: SqliteFile, chunks: number, { lengths, segments, vectors }: Parts): void {
  if (lastNumber(db) < FEW + SHARE * chunks) return
  const before = lengths.all()
  const numbers = new Map<number, number>()
  for (const { id } of db.prepare('select id from chunks order by id').all()) numbers.set(Number(id), numbers.size + 1)
  changedPages(db)
  segments.renumber(numbers)
  for (const table of ['chunks', 'vectors']) {
    // A new number is never above the old one, so that in ascending order none is taken twice.
    const renumber = db.prepare(`update ${table} set id = ? where id = ?`)
    for (const [old, id] of numbers) if (old !== id) renumber.run(id, old)
  }
  db.exec('delete from lengths')
  for (const [old, id] of numbers) lengths.set(id, before[old] ?? 0)
  lengths.flush()
  db.prepare("update sqlite_sequence set seq = ? where name = 'chunks'").run(numbers.size)
  vectors.forgetCodes()
  vectors.tidy(numbers.size + 1, numbers.size)
}

/** Readers may have kept what the pages were before. */
const changedPages = (db: SqliteFile): void => db.exec(`update meta set pages = ${ANY_NUMBER}`)

/** The highest number that was ever used. */
const lastNumber = (db: SqliteFile): number =>
  Number(db.prepare("select seq from sqlite_sequence where name = 'chunks'").get()?.['seq'] ?? 0)

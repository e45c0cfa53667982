import { type Position, readCursor, writeCursor } from '@youworker/contracts/cursor'
import { type Expression, type Kysely, type SelectQueryBuilder, sql } from 'kysely'

/** A page behind `offset` rows or, at the same cost however far it is, behind the row that `after` names. */
export interface ListPage {
  readonly limit: number
  readonly offset: number
  readonly after?: string | undefined
}

export interface Listed<Row> {
  readonly rows: Row[]
  /** Exact up to `COUNTED`; of a longer list it only says that there are at least so many. */
  readonly total: number
  readonly total_is_estimate?: true
  /** For `after` of the next page, when there is one. */
  readonly next_after?: string
}

interface PageParts<Row> {
  readonly rows: readonly Row[]
  readonly page: ListPage
  /** From {@link countSome}. */
  readonly counted: number
  readonly positionOf: (row: Row) => Position
}

const COUNTED = 10_000

/** The newest rows first: those of the page and one more, which tells whether there is a next page. `columns` may name their table. */
export function newestFirst<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  columns: Position,
  { limit, offset, after }: ListPage,
): SelectQueryBuilder<DB, TB, Row> {
  const [time, id] = [sql.ref<string>(columns.time), sql.ref<string>(columns.id)]
  const ordered = query
    .orderBy(time, 'desc')
    .orderBy(id, 'desc')
    .limit(limit + 1)
  if (after === undefined) return ordered.offset(offset)
  const behind = readCursor(after)
  return ordered.where(sql<boolean>`(${time}, ${id}) < (${behind.time}::timestamptz, ${behind.id}::uuid)`)
}

/** Counts the rows of a query, but not many more than `COUNTED`. */
export async function countSome<DB, T>(db: Kysely<DB>, one: (limit: number) => Expression<T>): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::integer as count from ${one(COUNTED + 1)} as counted`.execute(db)
  return rows[0]?.count ?? 0
}

export function listed<Row>({ rows: found, page: { limit, offset, after }, counted, positionOf }: PageParts<Row>): Listed<Row> {
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  const next = last !== undefined && found.length > limit ? { next_after: writeCursor(positionOf(last)) } : {}
  if (counted <= COUNTED) return { rows, total: counted, ...next }
  // Clients that go on until they have `total` rows reach the end.
  const seen = after === undefined ? offset + found.length : 0
  return { rows, total: Math.max(COUNTED, seen), total_is_estimate: true, ...next }
}

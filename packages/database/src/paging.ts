import { AppError } from '@youworker/contracts/errors'
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

interface Position {
  readonly time: string
  readonly id: string
}

interface PageParts<Row> {
  readonly rows: readonly Row[]
  readonly page: ListPage
  /** From {@link countSome}. */
  readonly counted: number
  readonly positionOf: (row: Row) => Position
}

const COUNTED = 10_000
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z$/

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

const writeCursor = ({ time, id }: Position): string => Buffer.from(`${time} ${id}`).toString('base64url')

function readCursor(cursor: string): Position {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (isTime(time) && UUID.test(id)) return { time, id }
  throw new AppError('VALIDATION_ERROR', '`after` is not the next_after of a page of this list')
}

/** As Postgres writes one: JavaScript also reads times that Postgres refuses, as that of 30 February. */
function isTime(text: string): boolean {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19)
}

import type { RowPage } from '@youworker/contracts/documents/stored-files'
import { type RawBuilder, sql } from 'kysely'

export interface RowPosition {
  readonly id: string
  readonly created_at: string
}

/** Where the page begins or ends, if it names a row. */
export interface PageStart extends Pick<RowPage, 'limit' | 'order'> {
  readonly after?: RowPosition | undefined
  readonly before?: RowPosition | undefined
}

/** The clauses of a query for a page of rows: those of the page and one more, from its start or, before a row, from its end. */
export function pageClauses(columns: { readonly time: string; readonly id: string }, { limit, order, after, before }: PageStart) {
  const [time, id] = [sql.ref(columns.time), sql.ref(columns.id)]
  const descends = (order === 'desc') === (before === undefined || after !== undefined)
  const behind = (row: RowPosition, less: boolean): RawBuilder<boolean> =>
    sql<boolean>`(${time}, ${id}) ${less ? sql`<` : sql`>`} (${row.created_at}::timestamptz, ${row.id}::uuid)`
  const where = [
    ...(after === undefined ? [] : [behind(after, order === 'desc')]),
    ...(before === undefined ? [] : [behind(before, order === 'asc')]),
  ]
  const direction = descends ? sql`desc` : sql`asc`
  return {
    where: where.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(where, sql` and `)}`,
    orderBy: sql`order by ${time} ${direction}, ${id} ${direction} limit ${limit + 1}`,
  }
}

/** Cuts the one row more off and puts the rows into the order of the page. */
export function pageOfRows<R>(rows: readonly R[], { limit, after, before }: PageStart): { rows: R[]; has_more: boolean } {
  const page = rows.slice(0, limit)
  return { rows: before !== undefined && after === undefined ? page.toReversed() : page, has_more: rows.length > limit }
}

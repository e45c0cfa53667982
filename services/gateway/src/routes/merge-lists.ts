import type { CursorPage } from '@youworker/contracts/common'
import { writeCursor } from '@youworker/contracts/cursor'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'

interface Part<Row> {
  readonly rows: readonly Row[]
  readonly total: number
  readonly total_is_estimate?: true | undefined
  readonly next_after?: string | undefined
}

/** A service that has a part of a list. */
export interface ListOwner<Row> {
  readonly name: string
  readonly list: (page: CursorPage) => Promise<Part<Row>>
}

interface Merged<Row> {
  readonly rows: Row[]
  readonly total: number
  readonly total_is_estimate?: true
  readonly next_after?: string
  /** Services that do not answer. */
  readonly incomplete?: string[]
}

export const isAway = (error: unknown): boolean => error instanceof AppError && ERROR_STATUS[error.code] >= 500

/** Of one owner at least those that the page may need: those behind `after`, or the newest. */
async function rowsFor<Row>({ list }: ListOwner<Row>, { limit, offset, after }: CursorPage): Promise<Part<Row>> {
  if (after !== undefined) return list({ limit, offset: 0, after })
  const rows: Row[] = []
  let page: Part<Row>
  do {
    page = await list({ limit: LIMITS.listRows, offset: rows.length })
    rows.push(...page.rows)
    if (page.rows.length === 0) break
  } while (rows.length < Math.min(offset + limit, page.total))
  return { ...page, rows }
}

/** One page of a list whose rows are spread over services, newest first. A service that is away is named instead. */
export async function mergeLists<Row extends { readonly id: string }>(
  owners: readonly ListOwner<Row>[],
  page: CursorPage,
  timeOf: (row: Row) => string,
): Promise<Merged<Row>> {
  const asked = await Promise.allSettled(owners.map((owner) => rowsFor(owner, page)))
  const incomplete: string[] = []
  const parts: Part<Row>[] = []
  for (const [at, outcome] of asked.entries()) {
    if (outcome.status === 'fulfilled') parts.push(outcome.value)
    else if (isAway(outcome.reason)) incomplete.push(owners[at]?.name ?? '')
    else throw outcome.reason
  }
  const byAge = (a: Row, b: Row): number => (timeOf(a) === timeOf(b) ? (a.id < b.id ? 1 : -1) : timeOf(a) < timeOf(b) ? 1 : -1)
  const begin = page.after === undefined ? page.offset : 0
  const all = parts.flatMap(({ rows }) => rows).sort(byAge)
  const rows = all.slice(begin, begin + page.limit)
  const last = rows.at(-1)
  const hasMore = all.length > begin + page.limit || parts.some(({ next_after }) => next_after !== undefined)
  return {
    rows,
    total: parts.reduce((sum, { total }) => sum + total, 0),
    ...(parts.some(({ total_is_estimate }) => total_is_estimate === true) ? { total_is_estimate: true as const } : {}),
    ...(last && hasMore ? { next_after: writeCursor({ time: timeOf(last), id: last.id }) } : {}),
    ...(incomplete.length > 0 ? { incomplete } : {}),
  }
}

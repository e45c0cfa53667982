import { AppError } from './errors.ts'

/** Of a row in a list that is sorted by time and id. */
export interface Position {
  /** With microseconds, as Postgres keeps it: `2026-01-02T03:04:05.600000Z`. */
  readonly time: string
  readonly id: string
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const TIME = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z$/

/** The `next_after` of a page that ends with this row. */
export const writeCursor = ({ time, id }: Position): string => Buffer.from(`${time} ${id}`).toString('base64url')

/** Throws `VALIDATION_ERROR`. */
export function readCursor(cursor: string): Position {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (isTime(time) && UUID.test(id)) return { time, id }
  throw new AppError('VALIDATION_ERROR', '`after` is not the next_after of a page of this list')
}

/** As Postgres writes one: JavaScript also reads times that Postgres refuses, as that of 30 February. */
function isTime(text: string): boolean {
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === text.slice(0, 19)
}

import pg from 'pg'

const { builtins } = pg.types
/** OIDs of array types, which pg-types does not name: select oid from pg_type where typname in ('_text', '_int8', '_timestamptz'). */
const TEXT_ARRAY = 1009
const INT8_ARRAY = 1016
const TIMESTAMPTZ_ARRAY = 1185

const UTC_TIME = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/

/** `2026-01-02 03:04:05.6+00` -> `2026-01-02T03:04:05.600000Z`: always the same length, so that text order is time order. */
function parseTime(text: string): string {
  const match = UTC_TIME.exec(text)
  return match ? `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}Z` : text
}

const textArray: (text: string) => (string | null)[] = pg.types.getTypeParser(
  // The type lists only OIDs that pg-types names.
  TEXT_ARRAY as Parameters<typeof pg.types.getTypeParser>[0],
)
const arrayOf =
  <T>(parse: (text: string) => T) =>
  (text: string): (T | null)[] =>
    textArray(text).map((item) => (item === null ? null : parse(item)))

const parsers = new Map<number, (text: string) => unknown>([
  [builtins.TIMESTAMPTZ, parseTime],
  [builtins.INT8, Number],
  [builtins.DATE, String],
  [TIMESTAMPTZ_ARRAY, arrayOf(parseTime)],
  [INT8_ARRAY, arrayOf(Number)],
])

/** Times as ISO-8601 strings, int8 as numbers, dates as text; the connection must be in UTC. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : parsers.get(oid)) ??
    // TypeScript cannot choose an overload of pg-types for a forwarded argument.
    pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
}

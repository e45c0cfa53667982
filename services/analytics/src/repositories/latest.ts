import { sql } from 'kysely'

/** Keeps the later one of two times, because events come in any order. */
export const latest = (
  table: 'sessions' | 'documents',
  change: { readonly hidden_at: string } | { readonly shown_at: string },
): { hidden_at?: ReturnType<typeof later>; shown_at?: ReturnType<typeof later> } =>
  'hidden_at' in change ? { hidden_at: later(table, 'hidden_at') } : { shown_at: later(table, 'shown_at') }

/** greatest() ignores nulls. */
const later = (table: string, column: string) =>
  sql<string>`greatest(${sql.ref(`${table}.${column}`)}, ${sql.ref(`excluded.${column}`)})`

import { sql } from 'kysely'
import type { SystemDatabase } from '../connection/open.ts'

/** How long rows are kept, by which column. The outbox must keep events as long as the stream does, the inbox longer. */
const KEPT = [
  { table: 'outbox', column: 'published_at', days: 7 },
  { table: 'inbox', column: 'received_at', days: 8 },
  { table: 'idempotency', column: 'created_at', days: 7 },
] as const

const BATCH = 5_000

/** Deletes old rows in batches, so that few rows are locked at a time. */
export async function sweep({ system }: Pick<SystemDatabase, 'system'>): Promise<void> {
  for (const { table, column, days } of KEPT) {
    for (;;) {
      const { numAffectedRows } = await sql`
        delete from ${sql.table(table)} where ctid in (
          select ctid from ${sql.table(table)}
          where ${sql.ref(column)} < now() - make_interval(days => ${sql.lit(days)})
          limit ${sql.lit(BATCH)} for update skip locked
        )`.execute(system)
      if (Number(numAffectedRows) < BATCH) break
    }
  }
}

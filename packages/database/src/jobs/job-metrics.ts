import { metrics } from '@youworker/runtime/health/metrics'
import { type Kysely, sql } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

/** Samples the number of waiting jobs of a kind and the age of the oldest. */
export async function sampleJobs(db: Kysely<SystemTables>, kind: string): Promise<void> {
  const { waiting, oldest } = await db
    .selectFrom('jobs')
    .where('kind', '=', kind)
    .where('status', '=', 'pending')
    .select((count) => count.fn.countAll<number>().as('waiting'))
    .select(sql<number | null>`extract(epoch from now() - min(created_at))::float8`.as('oldest'))
    .executeTakeFirstOrThrow()
  metrics.jobsWaiting.labels(kind).set(waiting)
  metrics.jobOldest.labels(kind).set(oldest ?? 0)
}

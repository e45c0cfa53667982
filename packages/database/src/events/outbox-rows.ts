import { sql, type Transaction } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

export interface OutboxRow {
  readonly position: number
  readonly id: string
  readonly subject: string
  readonly data: Record<string, unknown>
  readonly correlation_id: string | null
  readonly traceparent: string | null
  readonly created_at: string
  readonly age_seconds: number
}

const REPUBLISH_BATCH = 5_000

/**
 * Returns whether this relay may publish until the transaction ends. One lock per schema and not row locks, with which two
 * relays would publish at the same time and out of order.
 */
export async function lockRelay(trx: Transaction<SystemTables>): Promise<boolean> {
  const turn = await sql<{ mine: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('youworker relay'), hashtext(current_schema())) as mine`.execute(trx)
  return turn.rows[0]?.mine === true
}

/** The oldest unpublished rows. */
export function unpublishedRows(trx: Transaction<SystemTables>, limit: number): Promise<OutboxRow[]> {
  return trx
    .selectFrom('outbox')
    .select(['position', 'id', 'subject', 'data', 'correlation_id', 'traceparent', 'created_at'])
    .select(sql<number>`extract(epoch from clock_timestamp() - created_at)::float8`.as('age_seconds'))
    .where('published_at', 'is', null)
    .orderBy('position')
    .limit(limit)
    .execute()
}

/** Records the stream that stored each event and its number there. */
export async function markPublished(
  trx: Transaction<SystemTables>,
  rows: readonly OutboxRow[],
  seqs: readonly number[],
  streamCreated: string,
): Promise<void> {
  const positions = rows.map(({ position }) => position)
  await sql`
    update outbox set published_at = now(), stream_created = ${streamCreated}, stream_seq = mark.seq
    from unnest(${positions}::bigint[], ${[...seqs]}::bigint[]) as mark (position, seq)
    where outbox.position = mark.position`.execute(trx)
}

/** Marks rows that the stream does not hold (any more) as unpublished, in batches that stay below the statement timeout. */
export async function republishLost(
  trx: Transaction<SystemTables>,
  stream: { created: string; last_seq: number },
): Promise<void> {
  while ((await republishBatch(trx, stream)) === REPUBLISH_BATCH);
}

async function republishBatch(trx: Transaction<SystemTables>, stream: { created: string; last_seq: number }): Promise<number> {
  const { numAffectedRows } = await sql`
    update outbox set published_at = null, stream_created = null, stream_seq = null
    where position in (
      select position from outbox
      where stream_created < ${stream.created} or stream_created > ${stream.created}
        or (stream_created = ${stream.created} and stream_seq > ${stream.last_seq})
      order by position limit ${sql.lit(REPUBLISH_BATCH)}
    )`.execute(trx)
  return Number(numAffectedRows)
}

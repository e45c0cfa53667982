import type { AuditQuery } from '@youworker/contracts/audit/audit-trail'
import { AuditReader, type AuditHead } from '@youworker/database/owners/auth/audit-reader'
import type { AuditRow } from '@youworker/database/owners/auth/tables'
import { sql } from 'kysely'

export class AuditRepository extends AuditReader {
  /** Returns and locks the end of the chain: until the transaction ends no other one can append. */
  lockHead(): Promise<AuditHead> {
    return this.db.selectFrom('audit_head').select(['seq', 'hash', 'key_version']).forUpdate().executeTakeFirstOrThrow()
  }

  /** Those of the events that the trail has, by id and source. */
  known(ids: readonly string[]): Promise<Pick<AuditRow, 'id' | 'source'>[]> {
    return this.db.selectFrom('audit_entries').select(['id', 'source']).where('id', 'in', ids).execute()
  }

  /** Postgres refuses entries that do not follow the head. */
  async append(rows: readonly AuditRow[]): Promise<void> {
    const bytes = (value: Buffer) => `\\x${value.toString('hex')}`
    const entries = rows.map((row) => ({ ...row, prev_hash: bytes(row.prev_hash), hash: bytes(row.hash) }))
    await sql`select append_audit(${JSON.stringify(entries)}::jsonb)`.execute(this.db)
  }

  /** Newest first. */
  list({ before, from, to, limit, ...equal }: AuditQuery): Promise<AuditRow[]> {
    let query = this.db.selectFrom('audit_entries').selectAll().orderBy('seq', 'desc').limit(limit)
    if (before !== undefined) query = query.where('seq', '<', before)
    if (from !== undefined) query = query.where('occurred_at', '>=', from)
    if (to !== undefined) query = query.where('occurred_at', '<', to)
    for (const column of ['actor_id', 'action', 'outcome', 'source', 'target_type', 'target_id'] as const) {
      const value = equal[column]
      if (value !== undefined) query = query.where(column, '=', value)
    }
    return query.execute()
  }
}

import { hash } from 'node:crypto'
import type { AuditRow } from '@youworker/database/owners/auth/tables'

/** SHA-256 over everything an entry says, its place in the chain and the entry before it. */
export function auditHash(row: Omit<AuditRow, 'hash'>): Buffer {
  const said = [row.source, row.actor_id, row.action, row.outcome, row.target_type, row.target_id, row.correlation_id]
  const place = [row.seq, row.id, new Date(row.occurred_at).toISOString(), row.prev_hash.toString('hex')]
  return hash('sha256', JSON.stringify([...place, ...said]), 'buffer')
}

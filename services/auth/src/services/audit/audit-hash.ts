import { hash } from 'node:crypto'
import type { AuditRow } from '@youworker/database/owners/auth/tables'

/** SHA-256 over the content of an entry, its position in the chain and the hash of the previous entry. */
export function auditHash(row: Omit<AuditRow, 'hash'>): Buffer {
  const content = [row.source, row.actor_id, row.action, row.outcome, row.target_type, row.target_id, row.correlation_id]
  const position = [row.seq, row.id, new Date(row.occurred_at).toISOString(), row.prev_hash.toString('hex')]
  return hash('sha256', JSON.stringify([...position, ...content]), 'buffer')
}

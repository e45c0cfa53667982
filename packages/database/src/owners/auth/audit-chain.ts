import { createHmac, hash } from 'node:crypto'
import type { AuditCheckpoint } from '@youworker/contracts/audit/audit-trail'
import type { KeyRing } from '../../sealing/key-ring.ts'
import type { AuditRow } from './tables.ts'

/** Where a chain stands: its last entry. */
export interface AuditEnd {
  readonly seq: number
  readonly hash: Buffer
}
export const NO_ENTRIES: AuditEnd = { seq: 0, hash: Buffer.alloc(32) }

/** The first entry of the chain; its target is the number of entries from before. */
export const BEGIN = { source: 'auth', action: 'audit.begin', outcome: 'allowed', target_type: 'audit_trail' } as const

type KeyedRow = AuditRow & { readonly key_version: number }
export const isKeyed = (row: AuditRow): row is KeyedRow => row.key_version !== null

/** HMAC-SHA256 of every column, `seq` and the hash of the previous entry among them. Times as Postgres returns them. */
export function entryMac(ring: KeyRing, row: Omit<KeyedRow, 'hash'>): Buffer {
  const position = ['entry', row.key_version, row.seq, row.prev_hash.toString('hex'), row.id]
  const times = [row.occurred_at, row.recorded_at, row.claimed_at]
  return mac(ring, row.key_version, [...position, ...times, ...contentOf(row)])
}

export function checkpointMac(ring: KeyRing, { seq, hash: end, key_version }: Omit<AuditCheckpoint, 'mac'>): Buffer {
  return mac(ring, key_version, ['checkpoint', key_version, seq, end])
}

/** Entries from before the chain: SHA-256, which shows mistakes and no forger. */
export function plainHash(row: Omit<AuditRow, 'hash'>): Buffer {
  // Their times were written in ms.
  const position = [row.seq, row.id, row.occurred_at.replace(/000Z$/, 'Z'), row.prev_hash.toString('hex')]
  return hash('sha256', JSON.stringify([...position, ...contentOf(row)]), 'buffer')
}

/** Entries of versions before had no client: without one an entry is chained as it was then. */
const contentOf = (row: Omit<AuditRow, 'hash'>) => [
  row.source,
  row.actor_id,
  row.action,
  row.outcome,
  row.target_type,
  row.target_id,
  row.correlation_id,
  ...(row.address === null && row.user_agent === null ? [] : [row.address, row.user_agent]),
]

const mac = (ring: KeyRing, version: number, fields: readonly (string | number | null)[]): Buffer =>
  createHmac('sha256', ring.get(version)).update(JSON.stringify(fields)).digest()

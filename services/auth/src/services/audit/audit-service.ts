import type { AuditQuery, AuditRecord, AuditVerdict } from '@youworker/contracts/audit/audit-trail'
import { AppError } from '@youworker/contracts/errors'
import type { AuditEnd } from '@youworker/database/owners/auth/audit-chain'
import type { AuditRow } from '@youworker/database/owners/auth/tables'
import { verifyAudit } from '@youworker/database/owners/auth/verify-audit'
import type { KeyRing } from '@youworker/database/sealing/key-ring'
import type { SampledAudit } from '@youworker/database/events/sampled-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { AuditWriter } from './audit-writer.ts'

/** How long one request verifies. */
const VERIFY_MS = 1_000

interface Dependencies {
  readonly ring: KeyRing
  readonly writer: Pick<AuditWriter, 'end'>
  readonly sampled: Pick<SampledAudit, 'record'>
}

/** The audit trail for root, who alone may read it. */
export class AuditService {
  readonly #uow: AuthUnitOfWork
  readonly #ring: KeyRing
  readonly #writer: Pick<AuditWriter, 'end'>
  readonly #sampled: Pick<SampledAudit, 'record'>

  constructor(uow: AuthUnitOfWork, { ring, writer, sampled }: Dependencies) {
    this.#uow = uow
    this.#ring = ring
    this.#writer = writer
    this.#sampled = sampled
  }

  async list(query: AuditQuery, context: UserContext): Promise<{ entries: AuditRecord[]; next: number | null }> {
    this.#requireRoot(context)
    const rows = await this.#uow.in(NO_SPACES).read(({ audit }) => audit.list(query))
    return { entries: rows.map(toRecord), next: rows.length < query.limit ? null : (rows.at(-1)?.seq ?? null) }
  }

  /** Part of the trail, after `<seq>:<hash>` of an entry, as much as is read within a second. */
  async verify(after: string | undefined, context: UserContext): Promise<AuditVerdict> {
    this.#requireRoot(context)
    const until = Date.now() + VERIFY_MS
    const { end } = this.#writer
    const verdict = await verifyAudit({
      ring: this.#ring,
      read: (work) => this.#uow.in(NO_SPACES).read(({ audit }) => work(audit)),
      after: after === undefined ? undefined : parsePosition(after),
      checkpoints: new Map(end ? [[end.seq, end.hash.toString('hex')]] : []),
      isEnough: () => Date.now() > until || context.signal.aborted,
    })
    const { seq, hash } = verdict.position
    const { status, checked, broken } = verdict
    return { status, checked, position: seq === 0 ? null : `${seq}:${hash.toString('hex')}`, broken }
  }

  /** Reading is recorded as well. */
  #requireRoot(context: UserContext): void {
    const { user_id: actor_id, is_root } = context.caller
    const outcome = is_root ? 'allowed' : 'denied'
    this.#sampled.record({ actor_id, action: 'audit.read', outcome, target_type: 'audit_trail', target_id: null }, context)
    if (!is_root) throw new AppError('NOT_AUTHORIZED', 'Only root may read the audit trail.')
  }
}

function parsePosition(text: string): AuditEnd {
  const [seq = '', hash = ''] = text.split(':')
  return { seq: Number(seq), hash: Buffer.from(hash, 'hex') }
}

const toRecord = (row: AuditRow): AuditRecord => ({ ...row, hash: row.hash.toString('hex') })

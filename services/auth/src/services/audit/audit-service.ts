import type { AuditEntry } from '@youworker/contracts/auth'
import type { EventEnvelope } from '@youworker/contracts/event-envelope'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import { auditHash } from './audit-hash.ts'

const PAGE = 1_000
const START: Buffer = Buffer.alloc(32)

export type Verdict =
  | { readonly intact: true; readonly entries: number }
  /** `seq` is the first entry that breaks the chain. */
  | { readonly intact: false; readonly seq: number; readonly reason: string }

/** The audit trail of the whole system: append-only, and each entry contains the hash of the previous one. */
export class AuditService {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  async record(entry: AuditEntry, { id, time, source }: Pick<EventEnvelope, 'id' | 'time' | 'source'>): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async ({ inbox, audit }) => {
      if (!(await inbox.first(id))) return
      const head = await audit.lockHead()
      const row = { ...entry, seq: head.seq + 1, id, occurred_at: new Date(time).toISOString(), source, prev_hash: head.hash }
      await audit.append({ ...row, hash: auditHash(row) })
    })
  }

  /** Reads the whole chain and detects changed, missing, added and reordered entries. */
  async verify(): Promise<Verdict> {
    const head = await this.#uow.in(NO_SPACES).read(({ audit }) => audit.head())
    let seq = 0
    let last = START
    while (seq < head.seq) {
      const rows = await this.#uow.in(NO_SPACES).read(({ audit }) => audit.page(seq, PAGE))
      if (rows.length === 0) return broken(seq + 1, 'the entries from here on are missing')
      for (const row of rows) {
        if (row.seq !== seq + 1) return broken(seq + 1, 'the entry is missing')
        if (!row.prev_hash.equals(last)) return broken(row.seq, 'the entry does not follow the one before')
        if (!auditHash(row).equals(row.hash)) return broken(row.seq, 'the entry was changed')
        if (row.seq === head.seq && !row.hash.equals(head.hash)) return broken(row.seq, 'the end of the chain was replaced')
        seq = row.seq
        last = row.hash
      }
    }
    return { intact: true, entries: seq }
  }
}

const broken = (seq: number, reason: string): Verdict => ({ intact: false, seq, reason })

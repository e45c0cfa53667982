import type { AuditRow, AuthTables } from '@youworker/database/owners/auth/tables'
import type { Transaction } from 'kysely'

interface AuditHead {
  readonly seq: number
  readonly hash: Buffer
}

export class AuditRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** Returns and locks the end of the chain: until the transaction ends no other one can append. */
  lockHead(): Promise<AuditHead> {
    return this.#db.selectFrom('audit_head').select(['seq', 'hash']).forUpdate().executeTakeFirstOrThrow()
  }

  head(): Promise<AuditHead> {
    return this.#db.selectFrom('audit_head').select(['seq', 'hash']).executeTakeFirstOrThrow()
  }

  async append(row: AuditRow): Promise<void> {
    await this.#db.insertInto('audit_entries').values(row).execute()
    await this.#db.updateTable('audit_head').set({ seq: row.seq, hash: row.hash }).execute()
  }

  /** Entries with `seq > after`, oldest first. */
  page(after: number, limit: number): Promise<AuditRow[]> {
    return this.#db.selectFrom('audit_entries').selectAll().where('seq', '>', after).orderBy('seq').limit(limit).execute()
  }
}

import type { ChatAgentTables, ModelBackendRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

type NewBackend = Omit<ModelBackendRow, 'created_at' | 'updated_at'>
type BackendPatch = Partial<Omit<NewBackend, 'id' | 'source'>>

const now = sql<string>`now()`

/** Of the whole installation: no row belongs to a space. */
export class ModelBackendRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /** Oldest first. */
  all(): Promise<ModelBackendRow[]> {
    return this.#db.selectFrom('model_backends').selectAll().orderBy('created_at').orderBy('id').execute()
  }

  lock(id: string): Promise<ModelBackendRow | undefined> {
    return this.#db.selectFrom('model_backends').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  }

  /** Makes others wait that add rows or make them what their environment says, until the transaction ends. */
  async lockAll(): Promise<void> {
    await sql`lock table model_backends in share row exclusive mode`.execute(this.#db)
  }

  add(backend: NewBackend): Promise<ModelBackendRow> {
    return this.#db.insertInto('model_backends').values(backend).returningAll().executeTakeFirstOrThrow()
  }

  update(id: string, patch: BackendPatch): Promise<ModelBackendRow> {
    return this.#db
      .updateTable('model_backends')
      .set({ ...patch, updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom('model_backends').where('id', '=', id).execute()
  }
}

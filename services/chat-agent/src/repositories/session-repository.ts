import type { ChatAgentTables, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, sql } from 'kysely'

type NewSession = Pick<
  SessionRow,
  'id' | 'space_id' | 'user_id' | 'external_id' | 'title' | 'model' | 'enable_tools' | 'tools_pinned'
> &
  Partial<Pick<SessionRow, 'title_by' | 'metadata' | 'instructions' | 'group_id' | 'when_busy' | 'turn' | 'message_count'>>
type SessionPatch = Partial<
  Pick<
    SessionRow,
    | 'title'
    | 'title_by'
    | 'metadata'
    | 'instructions'
    | 'group_id'
    | 'when_busy'
    | 'model'
    | 'enable_tools'
    | 'tools_pinned'
    | 'branch'
    | 'branch_id'
  >
>

interface NextTurn {
  readonly messages: number
  /** Set only where there is none. */
  readonly title: Buffer
  readonly enable_tools: boolean
  /** Id of the branch that the turn begins, when it begins one. */
  readonly branch_id?: string | undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const now = sql<string>`now()`
/** An external_id may be that of deleted sessions too. */
const PRESENT_FIRST = sql`(deleted_at is not null)`

export class SessionRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /** By id or external_id; an id wins. */
  find(userId: string, ref: string): Promise<SessionRow | undefined> {
    return this.#matching(userId, ref).executeTakeFirst()
  }

  /** Locks until the transaction ends. The order of locks is always session, job, run. */
  lock(userId: string, ref: string): Promise<SessionRow | undefined> {
    return this.#matching(userId, ref).forUpdate().executeTakeFirst()
  }

  #matching(userId: string, ref: string) {
    const rows = this.#db.selectFrom('sessions').selectAll().where('user_id', '=', userId).limit(1)
    // Postgres text cannot hold NUL, so no session has it.
    if (ref.includes('\0')) return rows.where(sql<boolean>`false`)
    if (!UUID.test(ref)) return rows.where('external_id', '=', ref).orderBy(PRESENT_FIRST)
    return rows
      .where((where) => where.or([where('id', '=', ref), where('external_id', '=', ref)]))
      .orderBy(sql`(id = ${ref}::uuid)`, 'desc')
      .orderBy(PRESENT_FIRST)
  }

  /** The last one that was deleted, in a unit of work that sees it. */
  lockDeleted(userId: string, ref: string): Promise<SessionRow | undefined> {
    const deleted = this.#matching(userId, ref).where('deleted_at', 'is not', null)
    return deleted.orderBy('deleted_at', 'desc').forUpdate().executeTakeFirst()
  }

  findPresent(userId: string, ref: string): Promise<SessionRow | undefined> {
    return this.#matching(userId, ref).where('deleted_at', 'is', null).executeTakeFirst()
  }

  /** One whose time to be restored is over. */
  lockExpired(id: string): Promise<SessionRow | undefined> {
    const found = this.#db.selectFrom('sessions').selectAll().where('id', '=', id)
    return found.where('erase_after', '<=', now).forUpdate().executeTakeFirst()
  }

  /** The group of a session; `null` without one. */
  async groupOf(userId: string, ref: string): Promise<string | null> {
    const found = await this.#matching(userId, ref).clearSelect().select('group_id').executeTakeFirst()
    return found?.group_id ?? null
  }

  /** `undefined` when the user already has a session with this external_id. */
  add(session: NewSession): Promise<SessionRow | undefined> {
    return this.#db
      .insertInto('sessions')
      .values(session)
      .onConflict((conflict) => conflict.columns(['user_id', 'external_id']).where('deleted_at', 'is', null).doNothing())
      .returningAll()
      .executeTakeFirst()
  }

  update(id: string, patch: SessionPatch): Promise<SessionRow> {
    return this.#db
      .updateTable('sessions')
      .set({ ...patch, updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  /** Returns the session in its next turn. */
  beginTurn(id: string, { messages, title, enable_tools, branch_id }: NextTurn): Promise<SessionRow> {
    return this.#db
      .updateTable('sessions')
      .set((set) => ({
        turn: sql<number>`turn + 1`,
        ...(branch_id === undefined ? {} : { branch: sql<number>`turn + 1`, branch_id }),
        message_count: sql<number>`message_count + ${messages}`,
        title: set.fn.coalesce('title', set.val(title)),
        title_by: sql<SessionRow['title_by']>`case when title is null then 'words' else title_by end`,
        enable_tools: sql<boolean>`case when tools_pinned then enable_tools else ${enable_tools} end`,
        updated_at: now,
      }))
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  /** Locks as `lock` does. */
  countMessages(id: string, added: number): Promise<SessionRow | undefined> {
    return this.#db
      .updateTable('sessions')
      .set({ message_count: sql<number>`message_count + ${added}`, updated_at: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst()
  }

  async list(userId: string, page: ListPage): Promise<Listed<SessionRow>> {
    const mine = this.#db.selectFrom('sessions').where('user_id', '=', userId)
    const [rows, counted] = await Promise.all([
      newestFirst(mine.selectAll(), { time: 'created_at', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => mine.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }

  /** The session's messages, runs, entries and tool runs are deleted with it. */
  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom('sessions').where('id', '=', id).execute()
  }
}

import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

interface FoundAnswer {
  readonly run_id: string
  readonly body: Buffer
  readonly is_live: boolean
  /** Nothing that it was made from has changed since. */
  readonly is_fresh: boolean
}

interface NewAnswer {
  readonly space_id: string
  readonly key: Buffer
  readonly run_id: string
  readonly body: Buffer
  readonly knowledge: readonly number[]
}

export class CachedAnswerRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  find(spaceId: string, key: Buffer): Promise<FoundAnswer | undefined> {
    return this.#db
      .selectFrom('cached_answers')
      .select(['run_id', 'body'])
      .select(sql<boolean>`expires_at > now()`.as('is_live'))
      .select(
        sql<boolean>`not exists (
          select from knowledge_changes where bucket = any(cached_answers.knowledge) and fresh_from >= cached_answers.made_at
        )`.as('is_fresh'),
      )
      .where('space_id', '=', spaceId)
      .where('key', '=', key)
      .executeTakeFirst()
  }

  /** In place of the one with the same key. It counts as made when its run was added. */
  async put({ space_id, key, run_id, body, knowledge }: NewAnswer, ttlMs: number): Promise<void> {
    await sql`
      insert into cached_answers (space_id, key, run_id, body, knowledge, made_at, expires_at)
      select ${space_id}, ${key}, id, ${body}, ${[...knowledge]}::integer[], created_at,
        clock_timestamp() + make_interval(secs => ${ttlMs}::integer / 1000.0)
      from runs where id = ${run_id}
      on conflict (space_id, key) do update set run_id = excluded.run_id, body = excluded.body, knowledge = excluded.knowledge,
        made_at = excluded.made_at, expires_at = excluded.expires_at`.execute(this.#db)
  }

  async deleteOfSession(spaceId: string, sessionId: string): Promise<void> {
    await sql`delete from cached_answers where space_id = ${spaceId}
      and run_id in (select id from runs where session_id = ${sessionId})`.execute(this.#db)
  }

  /** Leaves the newest of a space. Returns how many made way. */
  async limit(spaceId: string, most: number): Promise<number> {
    const { numAffectedRows } = await sql`
      delete from cached_answers where space_id = ${spaceId} and key in (
        select key from cached_answers where space_id = ${spaceId} order by expires_at desc offset ${most} for update skip locked
      )`.execute(this.#db)
    return Number(numAffectedRows)
  }

  /** Takes those away that have expired. */
  async sweep(most: number): Promise<number> {
    const { numAffectedRows } = await sql`
      delete from cached_answers where ctid in (
        select ctid from cached_answers where expires_at < now() limit ${most} for update skip locked
      )`.execute(this.#db)
    return Number(numAffectedRows)
  }

  /** Leaves the newest of all. Returns how many made way. */
  async limitAll(most: number): Promise<number> {
    const { numAffectedRows } = await sql`
      delete from cached_answers where ctid in (
        select ctid from cached_answers order by expires_at desc offset ${most} for update skip locked
      )`.execute(this.#db)
    return Number(numAffectedRows)
  }
}

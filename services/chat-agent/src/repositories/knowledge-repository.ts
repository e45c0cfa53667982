import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

export class KnowledgeRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /** By bucket, how long from now answers that are begun may be out of date too, in ms. In the order of buckets: replicas do the same. */
  async changed(buckets: ReadonlyMap<number, number>): Promise<void> {
    await sql`
      insert into knowledge_changes (bucket, fresh_from)
      select bucket, clock_timestamp() + make_interval(secs => ms / 1000.0)
      from unnest(${[...buckets.keys()]}::integer[], ${[...buckets.values()]}::integer[]) as changed (bucket, ms)
      order by bucket
      on conflict (bucket) do update set fresh_from = greatest(knowledge_changes.fresh_from, excluded.fresh_from)`.execute(
      this.#db,
    )
  }
}

import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

/** What an erasure takes away: a session and its runs. */
export interface Traces {
  readonly session_ids: readonly string[]
  readonly run_ids: readonly string[]
}

const OF_SESSION = ['messages', 'runs', 'branches', 'tool_runs'] as const
const OF_RUN = ['run_entries', 'model_steps', 'unfinished_calls', 'cached_answers'] as const

/** Counts what is there of a session, to tell what its erasure took and to verify that nothing is left. */
export class TraceRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /** By table. */
  async count({ session_ids, run_ids }: Traces): Promise<Record<string, number>> {
    const [sessions, runs] = [sql`any(${[...session_ids]}::uuid[])`, sql`any(${[...run_ids]}::uuid[])`]
    const counts = [
      sql`(select count(*) from sessions where id = ${sessions}) as sessions`,
      ...OF_SESSION.map(
        (name) => sql`(select count(*) from ${sql.table(name)} where session_id = ${sessions}) as ${sql.id(name)}`,
      ),
      ...OF_RUN.map((name) => sql`(select count(*) from ${sql.table(name)} where run_id = ${runs}) as ${sql.id(name)}`),
    ]
    const { rows } = await sql<Record<string, number>>`select ${sql.join(counts)}`.execute(this.#db)
    return rows[0] ?? {}
  }
}

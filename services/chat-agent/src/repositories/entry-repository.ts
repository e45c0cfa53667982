import type { ChatAgentTables, EntryRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

export class EntryRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /**
   * Writes entries of any runs in one statement. Entries of an attempt that no longer owns its run are left out; the lock
   * makes a new owner wait for those that are written. Writing an entry twice is harmless.
   */
  async addFenced(entries: readonly EntryRow[]): Promise<void> {
    const runIds = [...new Set(entries.map(({ run_id }) => run_id))]
    await sql`
      insert into run_entries (run_id, n, attempt, space_id, body)
      select e.run_id, e.n, e.attempt, e.space_id, e.body from ${rowsOf(entries)}
      join (select id, attempt from runs where id = any(${runIds}::uuid[]) order by id for share) as owner
        on owner.id = e.run_id and owner.attempt = e.attempt
      on conflict do nothing`.execute(this.#db)
  }

  /** Not fenced: for a transaction that holds the run's row. */
  async add(entries: readonly EntryRow[]): Promise<void> {
    await sql`
      insert into run_entries (run_id, n, attempt, space_id, body)
      select e.run_id, e.n, e.attempt, e.space_id, e.body from ${rowsOf(entries)}`.execute(this.#db)
  }

  /** The last entry of each run. */
  async lastOf(runIds: readonly string[]): Promise<Pick<EntryRow, 'run_id' | 'n' | 'body'>[]> {
    const { rows } = await sql<Pick<EntryRow, 'run_id' | 'n' | 'body'>>`
      select last.run_id, last.n, last.body from unnest(${runIds}::uuid[]) as run (id)
      cross join lateral (
        select run_id, n, body from run_entries where run_id = run.id order by n desc limit 1
      ) as last`.execute(this.#db)
    return rows
  }

  page(runId: string, after: number, limit: number): Promise<Pick<EntryRow, 'n' | 'body'>[]> {
    return this.#db
      .selectFrom('run_entries')
      .select(['n', 'body'])
      .where('run_id', '=', runId)
      .where('n', '>', after)
      .orderBy('n')
      .limit(limit)
      .execute()
  }
}

function rowsOf(entries: readonly EntryRow[]) {
  const column = <K extends keyof EntryRow>(name: K) => entries.map((entry) => entry[name])
  return sql`unnest(${column('run_id')}::uuid[], ${column('n')}::bigint[], ${column('attempt')}::integer[],
    ${column('space_id')}::uuid[], ${column('body')}::bytea[]) as e (run_id, n, attempt, space_id, body)`
}

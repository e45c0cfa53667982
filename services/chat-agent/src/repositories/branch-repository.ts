import type { BranchRow, ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

export type NewBranch = Omit<BranchRow, 'created_at'>
/** `replaces_one`: the message whose place it takes is still there. */
export type KnownBranch = BranchRow & { readonly replaces_one: boolean }

export class BranchRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  async add(branch: NewBranch): Promise<void> {
    await this.#db.insertInto('branches').values(branch).execute()
  }

  find(sessionId: string, id: string): Promise<BranchRow | undefined> {
    return this.#db.selectFrom('branches').selectAll().where('session_id', '=', sessionId).where('id', '=', id).executeTakeFirst()
  }

  /** The branch that begins with a turn. */
  beginningAt(sessionId: string, turn: number): Promise<BranchRow | undefined> {
    return this.#db
      .selectFrom('branches')
      .selectAll()
      .where('session_id', '=', sessionId)
      .where('number', '=', turn)
      .executeTakeFirst()
  }

  async count(sessionId: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('branches')
      .where('session_id', '=', sessionId)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return count
  }

  /** All but branch 0, in the order in which they were begun. */
  ofSession(sessionId: string): Promise<KnownBranch[]> {
    return this.#db
      .selectFrom('branches')
      .selectAll()
      .select(
        sql<boolean>`exists (select from messages m where m.session_id = branches.session_id
          and m.turn = branches.before_turn and m.position = branches.before_position)`.as('replaces_one'),
      )
      .where('session_id', '=', sessionId)
      .orderBy('number')
      .execute()
  }

  /** Number of the first turn of each branch, and how many it has. Branches without a turn are missing. */
  turns(sessionId: string): Promise<{ branch: number; first: number; count: number }[]> {
    return this.#db
      .selectFrom('runs')
      .where('session_id', '=', sessionId)
      .groupBy('branch')
      .select(['branch', ({ fn }) => fn.min<number>('turn').as('first'), ({ fn }) => fn.countAll<number>().as('count')])
      .execute()
  }

  /** The last message that each branch has in common with the one it came from. A branch that has none is missing. */
  async lastShared(sessionId: string, branches: readonly BranchRow[]): Promise<{ number: number; message_id: string }[]> {
    const column = <K extends keyof BranchRow>(name: K) => branches.map((branch) => branch[name])
    const { rows } = await sql<{ number: number; message_id: string }>`
      select b.number, last.id as message_id
      from unnest(${column('number')}::integer[], ${column('from_branch')}::integer[], ${column('before_turn')}::integer[],
        ${column('before_position')}::bigint[]) as b (number, from_branch, before_turn, before_position)
      cross join lateral (
        select id from messages m where m.session_id = ${sessionId} and m.branch = b.from_branch
          and (m.turn, m.position) < (b.before_turn, b.before_position)
        order by m.turn desc, m.position desc limit 1
      ) as last`.execute(this.#db)
    return rows
  }
}

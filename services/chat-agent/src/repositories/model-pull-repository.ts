import type { ChatAgentTables, ModelPullRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'

type Progress = Pick<ModelPullRow, 'stage' | 'completed' | 'total'>
type Ending = Pick<ModelPullRow, 'status' | 'error'>

const now = sql<string>`now()`
const inSeconds = (seconds: number) => sql<string>`now() + make_interval(secs => ${sql.lit(seconds)})`
const ago = (seconds: number) => inSeconds(-seconds)

/** For how long who asks counts as watching. In s. */
const WATCHED = 15
/** A process renews its pulls every second; one that has not for so long has ended. In s. */
const LOST_AFTER = 15
/** Ended pulls are kept for whoever still asks. In s. */
const KEPT = 24 * 3_600
const LOST = 'The agent process that pulled the model has ended. Pull it again: Ollama keeps what it has got.'

/** Of the whole installation: no row belongs to a space. */
export class ModelPullRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  /** Ends those whose process has ended, and forgets old ones. */
  async sweep(): Promise<void> {
    await this.#db
      .updateTable('model_pulls')
      .set({ status: 'failed', error: LOST, updated_at: now })
      .where('status', '=', 'running')
      .where('updated_at', '<', ago(LOST_AFTER))
      .execute()
    await this.#db.deleteFrom('model_pulls').where('status', '!=', 'running').where('updated_at', '<', ago(KEPT)).execute()
  }

  async countRunning(): Promise<number> {
    const counted = this.#db.selectFrom('model_pulls').select((each) => each.fn.countAll<number>().as('count'))
    return Number((await counted.where('status', '=', 'running').executeTakeFirstOrThrow()).count)
  }

  /** `undefined` when the model is being got there already. */
  add(pull: Pick<ModelPullRow, 'id' | 'backend_id' | 'model'>): Promise<ModelPullRow | undefined> {
    return this.#db
      .insertInto('model_pulls')
      .values({ ...pull, watched_until: inSeconds(WATCHED) })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
  }

  find(id: string): Promise<ModelPullRow | undefined> {
    return this.#db.selectFrom('model_pulls').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async watch(id: string): Promise<void> {
    await this.#running(id)
      .set({ watched_until: inSeconds(WATCHED) })
      .execute()
  }

  /** False when it must end: it was cancelled, or nobody watches. */
  async progress(id: string, progress: Progress): Promise<boolean> {
    const row = await this.#running(id)
      .set({ ...progress, updated_at: now })
      .where('watched_until', '>', now)
      .returning('id')
      .executeTakeFirst()
    return row !== undefined
  }

  async end(id: string, ending: Ending): Promise<void> {
    await this.#running(id)
      .set({ ...ending, updated_at: now })
      .execute()
  }

  #running(id: string) {
    return this.#db.updateTable('model_pulls').where('id', '=', id).where('status', '=', 'running')
  }
}

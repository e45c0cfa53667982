import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { type Kysely, type Selectable, sql } from 'kysely'

export type GenerationRow = Selectable<IngestionTables['index_generations']>
export type NewGeneration = Pick<GenerationRow, 'adapter' | 'embed_model' | 'vectors' | 'terms' | 'layout'>

/** One with what its job says. */
export interface ShownGeneration extends GenerationRow {
  readonly status: string | null
  readonly progress_current: number | null
  readonly progress_total: number | null
  readonly stage: string | null
}

/** The rows that say which search index is used, and which is made beside it. */
export class GenerationRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  /** Keeps others from changing any until the transaction ends. */
  async lock(): Promise<void> {
    await sql`lock table index_generations in share row exclusive mode`.execute(this.#db)
  }

  /** All whose contents may still be there, newest first. */
  kept(): Promise<GenerationRow[]> {
    const all = this.#db.selectFrom('index_generations').selectAll()
    return all.where('state', '<>', 'erased').orderBy('number', 'desc').execute()
  }

  async shown(limit: number): Promise<ShownGeneration[]> {
    const { rows } = await sql<ShownGeneration>`
      select g.*, j.status, j.progress_current, j.progress_total, j.stage
      from index_generations g left join jobs j on j.id = g.job_id order by g.number desc limit ${limit}`.execute(this.#db)
    return rows
  }

  ofJob(jobId: string): Promise<GenerationRow | undefined> {
    return this.#db.selectFrom('index_generations').selectAll().where('job_id', '=', jobId).executeTakeFirst()
  }

  add(row: NewGeneration & Pick<GenerationRow, 'job_id'>, state: 'building' | 'active'): Promise<GenerationRow> {
    return this.#db
      .insertInto('index_generations')
      .values(({ selectFrom, fn }) => ({
        ...row,
        state,
        number: sql<number>`${selectFrom('index_generations').select(fn.coalesce(fn.max('number'), sql<number>`0`).as('last'))} + 1`,
        activated_at: state === 'active' ? sql<string>`now()` : null,
      }))
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  /** The contents are to be made anew in the same one, under another job. */
  async renew(number: number, change: Pick<GenerationRow, 'layout' | 'job_id'>): Promise<void> {
    await this.#db.updateTable('index_generations').set(change).where('number', '=', number).execute()
  }

  async note(number: number, problem: string | null): Promise<void> {
    await this.#db.updateTable('index_generations').set({ problem }).where('number', '=', number).execute()
  }

  /** One that is being filled will not be used. */
  async retire(number: number): Promise<void> {
    const retired = this.#db.updateTable('index_generations').set({ state: 'retired', retired_at: sql<string>`now()` })
    await retired.where('number', '=', number).where('state', '=', 'building').execute()
  }

  /** From the commit on the one that was filled is searched, and the one before retired. False when it is not to be used any more. */
  async activate(number: number): Promise<boolean> {
    await this.lock()
    const kept = await this.kept()
    if (kept.find((row) => row.number === number)?.state !== 'building') return false
    const retired = this.#db.updateTable('index_generations').set({ state: 'retired', retired_at: sql<string>`now()` })
    await retired.where('state', '=', 'active').execute()
    const active = this.#db.updateTable('index_generations')
    await active
      .set({ state: 'active', activated_at: sql<string>`now()`, problem: null })
      .where('number', '=', number)
      .execute()
    return true
  }

  /** Retired ones that no search uses any more, `graceMs` later. */
  outdated(graceMs: number): Promise<GenerationRow[]> {
    return this.#db
      .selectFrom('index_generations')
      .selectAll()
      .where('state', '=', 'retired')
      .where('retired_at', '<', sql<string>`now() - make_interval(secs => ${graceMs / 1_000})`)
      .execute()
  }

  async erased(number: number): Promise<void> {
    await this.#db.updateTable('index_generations').set({ state: 'erased' }).where('number', '=', number).execute()
  }

  /** Names of vectors that there are, `first` before the others. For the system scope. */
  async vectorNames(first: string): Promise<string[]> {
    const { rows } = await sql<{ model: string }>`
      (select model from embeddings where model = ${first} limit 1) union all (select model from embeddings limit 1)`.execute(
      this.#db,
    )
    return rows.map(({ model }) => model)
  }

  /** How many passages each of the spaces has. */
  async passages(spaceIds: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await sql<{ space_id: string; chunks: number }>`
      select space_id, count(*) as chunks from chunks where space_id = any(${[...spaceIds]}::uuid[]) group by space_id`.execute(
      this.#db,
    )
    return new Map(rows.map(({ space_id, chunks }) => [space_id, chunks]))
  }

  /** Of all spaces, for the system scope. */
  async allPassages(): Promise<number> {
    const { rows } = await sql<{ chunks: number }>`select count(*) as chunks from chunks`.execute(this.#db)
    return rows[0]?.chunks ?? 0
  }

  /** Texts of passages behind `after` that have no vector of this name, by their hashes. */
  async withoutVector(
    spaceId: string,
    { vectors, after, limit }: { vectors: string; after: string; limit: number },
  ): Promise<{ text_hash: string; text: string; title_path: string[] }[]> {
    const { rows } = await sql<{ text_hash: string; text: string; title_path: string[] }>`
      select distinct on (c.text_hash) c.text_hash, c.text, c.title_path from chunks c
      where c.space_id = ${spaceId} and c.text_hash > ${after} and not exists (select from embeddings e
        where e.space_id = c.space_id and e.text_hash = c.text_hash and e.model = ${vectors})
      order by c.text_hash limit ${limit}`.execute(this.#db)
    return rows
  }

  /** Erases up to `limit` vectors of a space that are none of the named. Returns how many. */
  async deleteOtherVectors(spaceId: string, names: readonly string[], limit: number): Promise<number> {
    const { numAffectedRows } = await sql`delete from embeddings where space_id = ${spaceId} and ctid = any(array(
      select ctid from embeddings where space_id = ${spaceId} and model <> all(${[...names]}::text[]) limit ${limit}))`.execute(
      this.#db,
    )
    return Number(numAffectedRows ?? 0)
  }
}

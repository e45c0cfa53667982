import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, type Selectable, sql } from 'kysely'

/** The tables of labels: a document has any number of tags and at most one collection. */
export type LabelTable = 'tags' | 'collections'
export type LabelRow = Selectable<IngestionTables['tags']>
export type LabelChange = Selectable<IngestionTables['label_changes']>

/** How many present documents have a label, and their bytes. */
export interface LabelUse extends Pick<LabelRow, 'space_id' | 'name'> {
  readonly documents: number
  readonly bytes: number
}

export class LabelRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  find(table: LabelTable, id: string): Promise<LabelRow | undefined> {
    return this.#db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirst()
  }

  lock(table: LabelTable, id: string): Promise<LabelRow | undefined> {
    return this.#db.selectFrom(table).selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  }

  /** Makes those that are missing. */
  async note(table: LabelTable, spaceId: string, names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    await sql`insert into ${sql.table(table)} (space_id, name) select ${spaceId}, unnest(${[...names]}::text[])
      on conflict do nothing`.execute(this.#db)
  }

  /** The labels of documents are those of their space. */
  async noteOf(spaceId: string, documents: readonly { readonly tags: readonly string[]; readonly collection: string | null }[]) {
    await this.note('tags', spaceId, [...new Set(documents.flatMap(({ tags }) => tags))])
    await this.note('collections', spaceId, [...new Set(documents.flatMap(({ collection }) => collection ?? []))])
  }

  named(table: LabelTable, spaceId: string, name: string): Promise<LabelRow | undefined> {
    return this.#db.selectFrom(table).selectAll().where('space_id', '=', spaceId).where('name', '=', name).executeTakeFirst()
  }

  async rename(table: LabelTable, id: string, name: string): Promise<void> {
    await this.#db.updateTable(table).set({ name }).where('id', '=', id).execute()
  }

  async delete(table: LabelTable, id: string): Promise<void> {
    await this.#db.deleteFrom(table).where('id', '=', id).execute()
  }

  async deleteSpace(spaceId: string): Promise<void> {
    for (const table of ['tags', 'collections', 'label_changes'] as const)
      await this.#db.deleteFrom(table).where('space_id', '=', spaceId).execute()
  }

  async list(table: LabelTable, spaceIds: readonly string[], page: ListPage): Promise<Listed<LabelRow>> {
    const mine = this.#db.selectFrom(table).where(sql<boolean>`space_id = any(${[...spaceIds]}::uuid[])`)
    const [rows, counted] = await Promise.all([
      newestFirst(mine.selectAll(), { time: 'created_at', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => mine.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }

  /** Of these labels. */
  async use(table: LabelTable, rows: readonly Pick<LabelRow, 'space_id' | 'name'>[]): Promise<LabelUse[]> {
    if (rows.length === 0) return []
    const [spaces, names] = [[...new Set(rows.map(({ space_id }) => space_id))], rows.map(({ name }) => name)]
    const labelled =
      table === 'tags'
        ? sql`from documents d cross join unnest(d.tags) as label (name) where d.tags && ${names}::text[] and label.name = any(${names}::text[])`
        : sql`from documents d cross join lateral (select d.collection) as label (name) where d.collection = any(${names}::text[])`
    const { rows: uses } = await sql<LabelUse>`
      select d.space_id, label.name, count(*) as documents, coalesce(sum(d.bytes_size), 0)::bigint as bytes ${labelled}
        and d.space_id = any(${spaces}::uuid[]) and d.deleted_at is null group by 1, 2`.execute(this.#db)
    return uses
  }

  async addChange(change: LabelChange): Promise<void> {
    await this.#db.insertInto('label_changes').values(change).execute()
  }

  change(id: string): Promise<LabelChange | undefined> {
    return this.#db.selectFrom('label_changes').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async endChange(id: string): Promise<void> {
    await this.#db.deleteFrom('label_changes').where('id', '=', id).execute()
  }

  /** Relabels up to `limit` documents, deleted ones too. Returns how many. */
  async apply({ space_id, kind, old_name, new_name }: LabelChange, limit: number): Promise<number> {
    const [labelled, set] =
      kind === 'tag'
        ? [
            sql`tags @> array[${old_name}]::text[]`,
            sql`tags = case when ${new_name}::text is null or tags @> array[${new_name}]::text[]
              then array_remove(tags, ${old_name}) else array_replace(tags, ${old_name}, ${new_name}) end`,
          ]
        : [sql`collection = ${old_name}`, sql`collection = ${new_name}`]
    const { numAffectedRows } = await sql`update documents set ${set} where id in (
      select id from documents where space_id = ${space_id} and ${labelled} limit ${limit} for update)`.execute(this.#db)
    return Number(numAffectedRows)
  }
}

import { sql, type Transaction } from 'kysely'
import type { SystemTables } from '../schema/system-tables.ts'

interface Deleted {
  readonly id: string
  readonly space_id: string
}

export interface DeletionTime {
  readonly deleted_at: string
  readonly erase_after: string
}

/**
 * Hides rows of tables with `DeletableColumns`, and shows them again. Call it in a unit of work that sees deleted rows:
 * Postgres refuses a change that hides a row from who makes it.
 */
export class Deletions {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /** Nobody sees it from the commit on. It stays erasable from `keepDays` after now. */
  async hide(
    table: string,
    id: string,
    { by, keepDays }: { readonly by: string; readonly keepDays: number },
  ): Promise<DeletionTime> {
    const { rows } = await sql<DeletionTime>`
      update ${sql.table(table)} set deleted_at = now(), deleted_by = ${by}, erase_after = now() + make_interval(days => ${keepDays}::integer)
      where id = ${id} returning deleted_at, erase_after`.execute(this.#db)
    const [time] = rows
    if (!time) throw new Error(`${table} has no row ${id}`)
    return time
  }

  async show(table: string, id: string): Promise<void> {
    await sql`update ${sql.table(table)} set deleted_at = null, deleted_by = null, erase_after = null where id = ${id}`.execute(
      this.#db,
    )
  }

  /** Hides or shows the rows of a table with only `HiddenColumn` that belong to another row. */
  async setHidden(table: string, column: string, id: string, hidden: boolean): Promise<void> {
    await sql`update ${sql.table(table)} set deleted_at = ${hidden ? sql`now()` : sql`null`} where ${sql.ref(column)} = ${id}`.execute(
      this.#db,
    )
  }

  /** Those whose time to be brought back is over, the oldest first. For the system scope. */
  async expired(table: string, limit: number): Promise<Deleted[]> {
    const { rows } = await sql<Deleted>`
      select id, space_id from ${sql.table(table)} where erase_after <= now() order by erase_after limit ${limit}`.execute(
      this.#db,
    )
    return rows
  }
}

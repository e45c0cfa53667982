import type { Logger } from '@youworker/runtime/logger'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { type Generated, type Kysely, sql, type Transaction } from 'kysely'
import { migrateDefinition, roleUrl } from './schema/migrate.ts'
import { type Database, openDatabase } from './connection/open.ts'
import { defineSchema } from './schema/schema-definition.ts'
import { addTurnsOfJobs, createSystemTables, type SystemTables, tenantTable } from './schema/system-tables.ts'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from './unit-of-work.ts'

/** A small schema: the system tables and one tenant table. */
export interface NoteTables extends SystemTables {
  notes: { id: string; space_id: string; text: string; created_at: Generated<string> }
}

async function init(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await addTurnsOfJobs(db)
  await sql`create table notes (
    id uuid primary key, space_id uuid not null, text text not null, created_at timestamptz not null default now())`.execute(db)
  await tenantTable(db, 'notes')
}

export const noteSchema = defineSchema({ owner: 'group', migrations: { '0001-init': { up: init } } })
export const otherSchema = defineSchema({ owner: 'auth', migrations: { '0001-init': { up: init } } })

export class NoteRepository {
  readonly #db: Transaction<NoteTables>

  constructor(db: Transaction<NoteTables>) {
    this.#db = db
  }

  async add(note: { id: string; space_id: string; text: string }): Promise<void> {
    await this.#db.insertInto('notes').values(note).execute()
  }

  /** Without `where`, so that only row-level security filters. */
  all() {
    return this.#db.selectFrom('notes').selectAll().orderBy('text').execute()
  }

  find(id: string) {
    return this.#db.selectFrom('notes').select(['id', 'text']).where('id', '=', id).executeTakeFirst()
  }

  raw() {
    return sql<{ n: number }>`select count(*) as n from notes`.execute(this.#db)
  }

  async fail(): Promise<void> {
    await sql`select 1 / 0`.execute(this.#db)
  }
}

export type Notes = UnitOfWork<{ notes: NoteRepository } & SystemRepositories>

export interface Fixture extends AsyncDisposable {
  readonly adminUrl: string
  readonly url: string
  readonly database: Database<NoteTables>
  readonly uow: Notes
  /** Connects again, as another process would. */
  connect(logger?: Logger): { database: Database<NoteTables>; uow: Notes }
}

export const bindNotes = (trx: Transaction<NoteTables>) => ({ notes: new NoteRepository(trx) })

export async function noteDatabase(): Promise<Fixture> {
  const stack = new AsyncDisposableStack()
  const { adminUrl } = stack.use(await testDatabase({ template: 'database-notes', prepare }))
  const url = roleUrl(adminUrl, 'group', testPassword)
  const connect = (logger = silentLogger()) => {
    const database = stack.use(
      openDatabase<NoteTables>({ url, schema: 'group', poolSize: 5, slowQueryMs: 1_000, logger, migrations: ['0001-init'] }),
    )
    return { database, uow: createUnitOfWork(database, bindNotes) }
  }
  return { adminUrl, url, ...connect(), connect, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function prepare(adminUrl: string): Promise<void> {
  const logger = silentLogger()
  await migrateDefinition(noteSchema, { adminUrl, password: testPassword, logger })
  await migrateDefinition(otherSchema, { adminUrl, password: testPassword, logger })
}

import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table sessions
    add column when_busy text not null default 'queue' check (when_busy in ('queue', 'interrupt', 'reject')),
    add column instructions bytea`.execute(db)
}

import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table deleted_users (
      user_id uuid primary key,
      created_at timestamptz not null,
      deleted_at timestamptz not null default now(),
      round integer not null default 1,
      waiting_for text[] not null,
      due_at timestamptz not null,
      erased_at timestamptz
    )`.execute(db)
  await sql`create index deleted_users_due on deleted_users (due_at) where erased_at is null`.execute(db)
}

import { type Kysely, sql } from 'kysely'

// Names, scopes, expiry and rotation of API keys; suspended users; more than one root.
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table users add column email text, add column suspended_at timestamptz`.execute(db)
  await sql`drop index users_one_root`.execute(db)
  await sql`create index users_newest on users (created_at desc, id desc)`.execute(db)
  await sql`
    alter table api_keys
      add column name text not null default 'Account key',
      add column scopes text[],
      add column expires_at timestamptz,
      add column last_used_at timestamptz,
      add column of_account boolean not null default false,
      add column replaces uuid references api_keys on delete set null`.execute(db)
  await sql`update api_keys set name = 'SECURITY__ROOT_API_KEY' where from_setting`.execute(db)
  // Until now an account had no other key.
  await sql`update api_keys set of_account = true where not from_setting and revoked_at is null`.execute(db)
  await sql`create index api_keys_expiry on api_keys (expires_at) where revoked_at is null`.execute(db)
  await sql`create index api_keys_replaces on api_keys (replaces) where replaces is not null`.execute(db)
  await sql`create index api_keys_revoked on api_keys (revoked_at) where revoked_at is not null`.execute(db)
}

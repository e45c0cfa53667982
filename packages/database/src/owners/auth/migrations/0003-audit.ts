import { type Kysely, sql } from 'kysely'

/**
 * Chains audit entries with a key that the database does not have, and lets the service add entries only through a function that
 * appends. Entries from before have no `key_version`: the chain begins with the first that has one.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table audit_entries
      add column recorded_at timestamptz,
      add column claimed_at timestamptz,
      add column key_version integer check (key_version > 0)`.execute(db)
  await sql`alter table audit_head add column key_version integer`.execute(db)
  // No service can keep an entry of another one out by using its event's id first.
  await sql`alter table audit_entries drop constraint audit_entries_id_key`.execute(db)
  await sql`create unique index audit_entries_event on audit_entries (id, source)`.execute(db)
  await sql`create index audit_entries_target on audit_entries (target_id, seq)`.execute(db)
  await sql`create index audit_entries_action on audit_entries (action, seq)`.execute(db)
  await sql`create index audit_entries_time on audit_entries (occurred_at, seq)`.execute(db)
  await sql`create index audit_entries_denied on audit_entries (seq) where outcome = 'denied'`.execute(db)
  await createAppend(db)
  await refuseOthers(db)
}

async function createAppend(db: Kysely<unknown>): Promise<void> {
  // Runs as the owner of the tables. pg_temp comes last, so that a temporary table of the caller stands for none of them.
  await sql`
    create function append_audit(entries jsonb) returns void language plpgsql security definer
    set search_path = auth, pg_catalog, pg_temp as $$
    declare
      head audit_head;
      entry audit_entries;
    begin
      select * into strict head from audit_head for update;
      for entry in select * from jsonb_populate_recordset(null::audit_entries, entries) loop
        if entry.seq <> head.seq + 1 or entry.prev_hash <> head.hash or octet_length(entry.hash) <> 32
          or entry.key_version is null or entry.key_version < head.key_version then
          raise exception 'an audit entry has to follow the last one' using errcode = 'insufficient_privilege';
        end if;
        insert into audit_entries select entry.*;
        head.seq := entry.seq;
        head.hash := entry.hash;
        head.key_version := entry.key_version;
      end loop;
      update audit_head set seq = head.seq, hash = head.hash, key_version = head.key_version;
    end $$`.execute(db)
  await sql`revoke execute on function append_audit from public`.execute(db)
  await sql`grant execute on function append_audit to auth`.execute(db)
}

async function refuseOthers(db: Kysely<unknown>): Promise<void> {
  // operator_intervention: the version of auth before this one, which writes to the tables itself, takes it for an outage and
  // keeps its events until it is replaced.
  await sql`
    create function refuse_other_than_append() returns trigger language plpgsql as $$
    begin
      if current_user = (select pg_get_userbyid(relowner) from pg_class where oid = tg_relid) then return null; end if;
      raise exception 'only append_audit() adds to the audit trail' using errcode = 'operator_intervention';
    end $$`.execute(db)
  await sql`
    create trigger audit_entries_only_appended before insert on audit_entries
    for each statement execute function refuse_other_than_append()`.execute(db)
  await sql`
    create trigger audit_head_only_appended before insert or update or delete or truncate on audit_head
    for each statement execute function refuse_other_than_append()`.execute(db)
}

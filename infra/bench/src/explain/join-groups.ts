import type pg from 'pg'

/** Makes a user a member of so many new groups. */
export async function joinGroups(admin: pg.Client, userId: string, groups: number): Promise<void> {
  await admin.query(
    `insert into "group".groups (id, name, name_key, created_by) select gen_random_uuid(), 'g' || n, 'g' || n, $1
      from generate_series(1, $2::integer) as n`,
    [userId, groups],
  )
  await admin.query(
    `insert into "group".members (group_id, user_id, role) select id, $1, 'member' from "group".groups
      where created_by = $1 on conflict do nothing`,
    [userId],
  )
}

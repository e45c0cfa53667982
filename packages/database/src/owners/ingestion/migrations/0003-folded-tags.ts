import { foldCase } from '@youworker/contracts/common'
import { type Kysely, sql } from 'kysely'

/** Tags that differ only in case become one. Folded here and not by Postgres, whose `lower` depends on the locale. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['documents', 'runs'].map((name) => sql.table(name))) {
    const { rows } = await sql<{ tag: string }>`select distinct unnest(tags) as tag from ${table}`.execute(db)
    const written = rows.map(({ tag }) => tag).filter((tag) => tag !== foldCase(tag))
    if (written.length === 0) continue
    await sql`
      update ${table} set tags = (
        select array_agg(tag order by place)
        from (
          select coalesce(change.folded, tags.tag) as tag, min(tags.place) as place
          from unnest(tags) with ordinality as tags(tag, place)
          left join unnest(${written}::text[], ${written.map(foldCase)}::text[]) as change(written, folded) on change.written = tags.tag
          group by 1
        ) as folded
      )
      where tags && ${written}::text[]`.execute(db)
  }
}

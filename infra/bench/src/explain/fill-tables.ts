import pg from 'pg'

interface Column {
  readonly name: string
  readonly type: string
  /** Part of a unique index. */
  readonly is_unique: boolean
  /** A unique index of its own. */
  readonly is_key: boolean
}

export interface FillOptions {
  readonly rows: number
  /** Whose rows they are. */
  readonly spaces: readonly string[]
}

/** Tables that only grow by what administrators do, and the trail of audit, whose rows form a chain. */
const LEFT_OUT = ['migrations', 'migrations_lock', 'audit_entries', 'audit_head', 'dead_letters', 'model_backends']

const TABLES = `
  select table_schema as schema, table_name as name from information_schema.tables
  where table_schema in ('auth', 'group', 'chat_agent', 'ingestion', 'analytics') and table_type = 'BASE TABLE'
    and table_name <> all($1)
  order by 1, 2`

const COLUMNS = `
  select attname as name, format_type(atttypid, null) as type,
    exists (select from pg_index where indrelid = attrelid and indisunique and attnum = any(indkey)) as is_unique,
    exists (select from pg_index where indrelid = attrelid and indisunique and indkey::text = attnum::text) as is_key
  from pg_attribute
  where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = ''`

/**
 * Adds rows of other people to every table: copies of the first row with ids of their own, spread over the spaces. Returns the tables
 * that had no row to copy.
 */
export async function fillTables(admin: pg.Client, { rows, spaces }: FillOptions): Promise<string[]> {
  const { rows: tables } = await admin.query<{ schema: string; name: string }>(TABLES, [LEFT_OUT])
  // Ids of copies name no other row.
  await admin.query('set session_replication_role = replica')
  const empty: string[] = []
  for (const { schema, name } of tables) {
    const table = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(name)}`
    const { rows: columns } = await admin.query<Column>(COLUMNS, [table])
    const names = columns.map((column) => pg.escapeIdentifier(column.name)).join(', ')
    const { rowCount } = await admin.query(
      `insert into ${table} (${names})
        select ${columns.map(valueOf).join(', ')}
        from generate_series(1, $1::integer) as copy(number), (select * from ${table} limit 1) as row
        on conflict do nothing`.replaceAll('$spaces', `'{${spaces.join()}}'::uuid[]`),
      [rows],
    )
    if (rowCount === 0) empty.push(`${schema}.${name}`)
  }
  await admin.query('set session_replication_role = origin; analyze')
  return empty
}

function valueOf({ name, type, is_unique, is_key }: Column): string {
  const column = `row.${pg.escapeIdentifier(name)}`
  if (type === 'uuid' && name === 'space_id' && !is_key) return '($spaces)[1 + copy.number % cardinality($spaces)]'
  if (type === 'uuid') return `case when ${column} is null then null else gen_random_uuid() end`
  if (is_unique && type === 'text' && name !== 'kind') return `${column} || copy.number`
  if (is_unique && type === 'bytea') return `sha256(copy.number::text::bytea)`
  // Nothing waits to be done.
  if (name === 'published_at') return 'now()'
  if (name === 'status' && type === 'text')
    return `case when ${column} in ('pending', 'running') then 'success' else ${column} end`
  if (name.endsWith('_at') && type === 'timestamp with time zone') return `${column} - make_interval(secs => copy.number / 100.0)`
  return column
}

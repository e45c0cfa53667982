/**
 * Foreign keys that no index begins with (one of all that are not null is enough): each deletion of a row that they name reads the whole table. `$1`: names of schemas. Rows have
 * `table_name` and `key_name`.
 */
export const UNINDEXED_KEYS = `
  select c.conrelid::regclass::text as table_name, c.conname as key_name from pg_constraint c
  where c.contype = 'f' and c.connamespace in (select oid from pg_namespace where nspname = any($1))
  and not exists (
    select from pg_index i join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where i.indrelid = c.conrelid
      and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname))
      and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)
  order by 1, 2`

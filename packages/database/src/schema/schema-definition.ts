import { SCHEMAS, type SchemaOwner } from '@youworker/contracts/topology/topology'
import type { Migration } from 'kysely/migration'

/** One owner's Postgres schema: its name and its forward-only migrations. */
export interface SchemaDefinition {
  readonly owner: SchemaOwner
  /** Name of the Postgres schema and of the role that a service logs in as. */
  readonly schema: string
  /** By name; they run in the order of their names. */
  readonly migrations: Readonly<Record<string, Migration>>
}

/** Tables of each schema in which Kysely records the migrations that ran. */
export const MIGRATIONS_TABLE = 'migrations'
export const MIGRATIONS_LOCK_TABLE = 'migrations_lock'

export function defineSchema(definition: { owner: SchemaOwner; migrations: Record<string, Migration> }): SchemaDefinition {
  return { ...definition, schema: SCHEMAS[definition.owner] }
}

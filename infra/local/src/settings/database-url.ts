import type { SchemaOwner } from '@youworker/contracts/topology/topology'

/** The URL of a service's own role, on the administrator's server and database. */
export type DatabaseUrl = (owner: SchemaOwner) => string

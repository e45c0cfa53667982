import type { SchemaOwner } from '@youworker/contracts/topology'
import { analyticsSchema } from './analytics/schema.ts'
import { authSchema } from './auth/schema.ts'
import { chatAgentSchema } from './chat-agent/schema.ts'
import { groupSchema } from './group/schema.ts'
import { ingestionSchema } from './ingestion/schema.ts'
import type { SchemaDefinition } from './schema.ts'

/** Every owner's schema. */
export const schemas: Readonly<Record<SchemaOwner, SchemaDefinition>> = {
  auth: authSchema,
  group: groupSchema,
  'chat-agent': chatAgentSchema,
  ingestion: ingestionSchema,
  analytics: analyticsSchema,
}

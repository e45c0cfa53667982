import type { SchemaOwner } from '@youworker/contracts/topology/topology'
import { analyticsSchema } from '../owners/analytics/schema.ts'
import { authSchema } from '../owners/auth/schema.ts'
import { chatAgentSchema } from '../owners/chat-agent/schema.ts'
import { groupSchema } from '../owners/group/schema.ts'
import { ingestionSchema } from '../owners/ingestion/schema.ts'
import type { SchemaDefinition } from './schema-definition.ts'

/** Every owner's schema. */
export const allSchemas: Readonly<Record<SchemaOwner, SchemaDefinition>> = {
  auth: authSchema,
  group: groupSchema,
  'chat-agent': chatAgentSchema,
  ingestion: ingestionSchema,
  analytics: analyticsSchema,
}

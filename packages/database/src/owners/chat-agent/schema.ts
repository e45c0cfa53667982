import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as outages from './migrations/0002-outages.ts'

export const chatAgentSchema = defineSchema({ owner: 'chat-agent', migrations: { '0001-init': init, '0002-outages': outages } })

import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'

export const analyticsSchema = defineSchema({ owner: 'analytics', migrations: { '0001-init': init } })

import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'

export const groupSchema = defineSchema({ owner: 'group', migrations: { '0001-init': init } })

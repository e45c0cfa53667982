import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'

export const authSchema = defineSchema({ owner: 'auth', migrations: { '0001-init': init } })

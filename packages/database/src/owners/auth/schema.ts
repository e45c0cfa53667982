import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as keys from './migrations/0002-keys.ts'

export const authSchema = defineSchema({ owner: 'auth', migrations: { '0001-init': init, '0002-keys': keys } })

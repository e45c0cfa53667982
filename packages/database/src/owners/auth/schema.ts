import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as audit from './migrations/0003-audit.ts'

export const authSchema = defineSchema({ owner: 'auth', migrations: { '0001-init': init, '0003-audit': audit } })

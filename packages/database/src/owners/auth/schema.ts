import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as knownClients from './migrations/0004-known-clients.ts'

export const authSchema = defineSchema({ owner: 'auth', migrations: { '0001-init': init, '0004-known-clients': knownClients } })

import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as keys from './migrations/0002-keys.ts'
import * as audit from './migrations/0003-audit.ts'
import * as knownClients from './migrations/0004-known-clients.ts'
import * as erasure from './migrations/0005-erasure.ts'
import * as auditClient from './migrations/0006-audit-client.ts'
import * as setsOfSpaces from './migrations/0007-sets-of-spaces.ts'
import * as turnsOfJobs from './migrations/0008-turns-of-jobs.ts'

export const authSchema = defineSchema({
  owner: 'auth',
  migrations: {
    '0001-init': init,
    '0002-keys': keys,
    '0003-audit': audit,
    '0004-known-clients': knownClients,
    '0005-erasure': erasure,
    '0006-audit-client': auditClient,
    '0007-sets-of-spaces': setsOfSpaces,
    '0008-turns-of-jobs': turnsOfJobs,
  },
})

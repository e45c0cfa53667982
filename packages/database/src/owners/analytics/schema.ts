import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as sessionsOfToolRuns from './migrations/0002-sessions-of-tool-runs.ts'
import * as groupsOfDocuments from './migrations/0003-groups-of-documents.ts'
import * as setsOfSpaces from './migrations/0004-sets-of-spaces.ts'
import * as turnsOfJobs from './migrations/0005-turns-of-jobs.ts'
import * as hidden from './migrations/0006-hidden.ts'

export const analyticsSchema = defineSchema({
  owner: 'analytics',
  migrations: {
    '0001-init': init,
    '0002-sessions-of-tool-runs': sessionsOfToolRuns,
    '0003-groups-of-documents': groupsOfDocuments,
    '0004-sets-of-spaces': setsOfSpaces,
    '0005-turns-of-jobs': turnsOfJobs,
    '0006-hidden': hidden,
  },
})

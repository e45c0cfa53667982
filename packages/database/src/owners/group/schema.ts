import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as setsOfSpaces from './migrations/0002-sets-of-spaces.ts'
import * as instructions from './migrations/0004-instructions.ts'
import * as keptAnswers from './migrations/0005-kept-answers.ts'
import * as turnsOfJobs from './migrations/0003-turns-of-jobs.ts'
import * as deletion from './migrations/0006-deletion.ts'
import * as policy from './migrations/0007-policy.ts'

export const groupSchema = defineSchema({
  owner: 'group',
  migrations: {
    '0001-init': init,
    '0002-sets-of-spaces': setsOfSpaces,
    '0003-turns-of-jobs': turnsOfJobs,
    '0004-instructions': instructions,
    '0005-kept-answers': keptAnswers,
    '0006-deletion': deletion,
    '0007-policy': policy,
  },
})

import { defineSchema } from '../../schema/schema-definition.ts'
import * as answerCache from './migrations/0013-answer-cache.ts'
import * as deletion from './migrations/0014-deletion.ts'
import * as indexOfPulls from './migrations/0015-index-of-pulls.ts'
import * as branches from './migrations/0009-branches.ts'
import * as groupsOfSessions from './migrations/0012-groups-of-sessions.ts'
import * as init from './migrations/0001-init.ts'
import * as modelCalls from './migrations/0010-model-calls.ts'
import * as modelBackends from './migrations/0007-model-backends.ts'
import * as outages from './migrations/0002-outages.ts'
import * as responses from './migrations/0006-responses.ts'
import * as setsOfSpaces from './migrations/0003-sets-of-spaces.ts'
import * as settingsOfRuns from './migrations/0005-settings-of-runs.ts'
import * as turnsOfJobs from './migrations/0004-turns-of-jobs.ts'
import * as sessionSettings from './migrations/0008-session-settings.ts'

export const chatAgentSchema = defineSchema({
  owner: 'chat-agent',
  migrations: {
    '0001-init': init,
    '0002-outages': outages,
    '0003-sets-of-spaces': setsOfSpaces,
    '0004-turns-of-jobs': turnsOfJobs,
    '0005-settings-of-runs': settingsOfRuns,
    '0006-responses': responses,
    '0007-model-backends': modelBackends,
    '0008-session-settings': sessionSettings,
    '0009-branches': branches,
    '0010-model-calls': modelCalls,
    '0012-groups-of-sessions': groupsOfSessions,
    '0013-answer-cache': answerCache,
    '0014-deletion': deletion,
    '0015-index-of-pulls': indexOfPulls,
  },
})

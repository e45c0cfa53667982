import { defineSchema } from '../../schema/schema-definition.ts'
import * as init from './migrations/0001-init.ts'
import * as readTries from './migrations/0002-read-tries.ts'
import * as foldedTags from './migrations/0003-folded-tags.ts'
import * as setsOfSpaces from './migrations/0004-sets-of-spaces.ts'
import * as turnsOfJobs from './migrations/0005-turns-of-jobs.ts'
import * as languages from './migrations/0006-languages.ts'
import * as deletion from './migrations/0007-deletion.ts'
import * as sources from './migrations/0008-sources.ts'
import * as stages from './migrations/0009-stages.ts'
import * as labels from './migrations/0010-labels.ts'
import * as resumableUploads from './migrations/0011-resumable-uploads.ts'
import * as storedFiles from './migrations/0012-stored-files.ts'
import * as stagedBy from './migrations/0013-staged-by.ts'
import * as previews from './migrations/0018-previews.ts'
import * as sharedCollections from './migrations/0014-shared-collections.ts'
import * as indexGenerations from './migrations/0015-index-generations.ts'
import * as vectorStores from './migrations/0016-vector-stores.ts'
import * as times from './migrations/0017-times.ts'

export const ingestionSchema = defineSchema({
  owner: 'ingestion',
  migrations: {
    '0001-init': init,
    '0002-read-tries': readTries,
    '0003-folded-tags': foldedTags,
    '0004-sets-of-spaces': setsOfSpaces,
    '0005-turns-of-jobs': turnsOfJobs,
    '0006-languages': languages,
    '0007-deletion': deletion,
    '0008-sources': sources,
    '0009-stages': stages,
    '0010-labels': labels,
    '0011-resumable-uploads': resumableUploads,
    '0012-stored-files': storedFiles,
    '0013-staged-by': stagedBy,
    '0014-shared-collections': sharedCollections,
    '0015-index-generations': indexGenerations,
    '0016-vector-stores': vectorStores,
    '0017-times': times,
    '0018-previews': previews,
  },
})

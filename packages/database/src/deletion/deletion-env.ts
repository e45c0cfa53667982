import { integer } from '@youworker/runtime/process/config'

/** Settings of each service whose things can be brought back. */
export const deletionEnv = {
  DATA__KEEP_DELETED_DAYS: integer(0, 3_650).default(30).meta({
    description: 'How long documents, sessions and groups that were deleted can be brought back; then they are erased',
    unit: 'days',
  }),
}

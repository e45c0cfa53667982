import { AppError } from '@youworker/contracts/errors'
import type { RunRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { spaceOf } from '../documents/document-path.ts'
import { notFound, type Readable, readableOf, type SpaceAccess } from '../space-access.ts'

interface Wanted {
  readonly collection?: string | undefined
  readonly collection_id?: string | undefined
  readonly group_id?: string | undefined
  readonly is_private: boolean
}

/** Where the documents of a run go, and what its unit of work sees. */
export interface RunTarget {
  readonly spaces: Readable
  readonly target: Pick<RunRow, 'target_space_id' | 'collection' | 'collection_id' | 'group_id' | 'is_private'>
}

interface TargetDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
}

/** A space of the caller's, or a collection by its id, also one of others that the caller may write to. */
export async function runTarget(wanted: Wanted, context: UserContext, { uow, access }: TargetDependencies): Promise<RunTarget> {
  const { user_id } = context.caller
  const { group_id, collection_id, is_private } = wanted
  if (collection_id === undefined) {
    const spaces = readableOf(await (group_id === undefined ? access.of(context) : access.require(context, group_id)), [])
    const target_space_id = spaceOf({ user_id, group_id, is_private })
    const { collection = null } = wanted
    return { spaces, target: { target_space_id, collection, collection_id: null, group_id: group_id ?? null, is_private } }
  }
  if (group_id !== undefined || wanted.collection !== undefined || is_private) throw twoTargets()
  const { found, spaces } = await access.findReadable(context, async (readable) => {
    const row = await uow.in(readable.all, readable.shared).read(({ labels }) => labels.find('collections', collection_id))
    return row && { row, readable }
  })
  if (!found) throw notFound(spaces, new AppError('COLLECTION_NOT_FOUND', 'There is no such collection among yours'))
  const { space_id, name: collection } = found.row
  const shared = found.readable.shared.find(({ id }) => id === collection_id)
  if (shared?.role === 'reader') throw mayOnlyRead()
  const ofGroup = shared ? shared.group_id : space_id === user_id ? null : space_id
  const target = { target_space_id: space_id, collection, group_id: ofGroup, is_private: false }
  return { spaces: found.readable, target: { ...target, collection_id: shared ? collection_id : null } }
}

const twoTargets = () =>
  new AppError(
    'VALIDATION_ERROR',
    'collection_id says already where the documents go; leave collection, group_id and is_private out',
  )

const mayOnlyRead = () =>
  new AppError('NOT_AUTHORIZED', 'You may read this collection and not add to it; ask whose it is to make you a writer')

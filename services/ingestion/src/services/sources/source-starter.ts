import { createHash } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import type { Source, SourceRequest } from '@youworker/contracts/documents/sources'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { spaceOf } from '../documents/document-path.ts'
import type { SpaceAccess } from '../space-access.ts'
import type { ServerFiles } from './server-files.ts'

interface StarterDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly space: FreeSpace
  readonly fetcher: GuardedFetcher
  readonly files: ServerFiles
  readonly wake: () => void
}

export const GATHER_KIND = 'gather'

/** Starts runs whose files this service fetches itself. */
export class SourceStarter {
  readonly #deps: StarterDependencies

  constructor(deps: StarterDependencies) {
    this.#deps = deps
  }

  async start(input: SourceRequest, context: UserContext): Promise<{ run_id: string }> {
    const { uow, access, space, wake } = this.#deps
    const { user_id } = context.caller
    if (input.group_id !== undefined) await access.require(context, input.group_id)
    const source = (input.from_web ?? /^https?:\/\//i.test(input.path_or_url)) ? 'web' : 'path'
    const target = await (source === 'web' ? this.#url(input, context) : this.#path(input, context))
    await space.require()
    const { subject } = ingestion.startSourceRun
    const request = { user_id, subject, key: context.idempotencyKey, request: input }
    const spaces = input.group_id === undefined ? [user_id] : [user_id, input.group_id]
    const started = await uow
      .in(spaces)
      .write((repos) => repos.idempotency.once(request, () => storeRun(repos, input, { source, target }, context)))
    wake()
    return started
  }

  async #url({ path_or_url }: SourceRequest, { signal }: UserContext): Promise<string> {
    return (await this.#deps.fetcher.check(path_or_url, signal)).href
  }

  /** Other users' files may stand on the server, and what a group may read of them only its operator can say. */
  async #path({ path_or_url, recursive }: SourceRequest, context: UserContext): Promise<string> {
    const { caller } = context
    if (!caller.is_root || caller.aud === 'run') {
      await this.#deps.uow.in([caller.user_id]).write(async ({ outbox }) => recordAct(outbox, caller.user_id, 'denied', context))
      throw new AppError(
        'NOT_AUTHORIZED',
        'Only root may name a path of the server; upload the file, or send its URL with from_web',
      )
    }
    if ((await this.#deps.files.isFolder(path_or_url)) && !recursive) {
      throw new AppError('VALIDATION_ERROR', `${path_or_url} is a folder; send recursive: true for all files below it`)
    }
    return path_or_url
  }
}

function recordAct(
  outbox: IngestionRepositories['outbox'],
  target_id: string,
  outcome: 'allowed' | 'denied',
  context: UserContext,
): void {
  const act = {
    actor_id: context.caller.user_id,
    action: 'run.start-from-path',
    outcome,
    target_type: 'ingestion_run',
    target_id,
  }
  recordAudit(outbox, ingestion.auditRecorded, act, context)
}

async function storeRun(
  repos: IngestionRepositories,
  input: SourceRequest,
  { source, target }: { source: Exclude<Source, 'upload'>; target: string },
  context: UserContext,
): Promise<{ run_id: string }> {
  const { user_id } = context.caller
  const { tags, collection = null, group_id = null, is_private, recursive, max_depth, max_pages } = input
  const target_space_id = spaceOf({ user_id, group_id, is_private })
  if (await repos.index.isErased(target_space_id)) throw new AppError('GROUP_NOT_FOUND', 'This group was deleted')
  const id = newId()
  // Two crawls of one site follow each other, whoever wants them and on whichever machine.
  const site = source === 'web' && recursive ? createHash('sha256').update(new URL(target).hostname).digest('hex') : undefined
  await repos.jobs.add({ id, kind: GATHER_KIND, user_id, space_id: target_space_id, payload: { run_id: id }, queue_key: site })
  const labels = { tags: [...new Set(tags)], collection, collection_id: null, group_id, is_private }
  await repos.runs.add({ id, space_id: user_id, user_id, target_space_id, ...labels }, [])
  await repos.sources.add({ run_id: id, space_id: user_id, source, target, recursive, max_depth, max_pages })
  if (source === 'path') recordAct(repos.outbox, id, 'allowed', context)
  return { run_id: id }
}

import type { IndexAdapterName, IndexGeneration, IndexStatus } from '@youworker/contracts/documents/index-generations'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ShownGeneration } from '../../../repositories/generation-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { GenerationPlan } from './generation-plan.ts'
import type { Generations } from './generations.ts'

interface OperatorParts {
  readonly uow: IngestionUnitOfWork
  readonly plan: GenerationPlan
  readonly generations: Generations
}

const SHOWN = 20

/** What root sees and does of the search indexes. */
export class IndexOperator {
  readonly #parts: OperatorParts

  constructor(parts: OperatorParts) {
    this.#parts = parts
  }

  async get(_input: object, { caller }: UserContext): Promise<IndexStatus> {
    if (!caller.is_root) throw onlyRoot()
    return this.#parts.uow.in([]).read(statusOf)
  }

  migrate({ to }: { readonly to: IndexAdapterName }, context: UserContext): Promise<IndexStatus> {
    return this.#change('index.migrate', context, (repos) => this.#parts.plan.migrate(repos, to))
  }

  cancel(_input: object, context: UserContext): Promise<IndexStatus> {
    return this.#change('index.cancel', context, (repos) => this.#parts.plan.cancel(repos))
  }

  async #change(
    action: string,
    context: UserContext,
    work: (repos: IngestionRepositories) => Promise<void>,
  ): Promise<IndexStatus> {
    const { uow, generations } = this.#parts
    const act = { actor_id: context.caller.user_id, action, target_type: 'search_index', target_id: null }
    const { is_root } = context.caller
    if (!is_root) {
      const denied = { ...act, outcome: 'denied' } as const
      await uow.in([]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
      throw onlyRoot()
    }
    const status = await uow.in([]).write(async (repos) => {
      await work(repos)
      recordAudit(repos.outbox, ingestion.auditRecorded, { ...act, outcome: 'allowed' }, context)
      return statusOf(repos)
    })
    generations.refresh()
    return status
  }
}

async function statusOf({ generations }: Pick<IngestionRepositories, 'generations'>): Promise<IndexStatus> {
  return { generations: (await generations.shown(SHOWN)).map(toView) }
}

function toView(row: ShownGeneration): IndexGeneration {
  const { number, adapter, embed_model, state, problem, created_at, activated_at, retired_at } = row
  const { status, progress_current: current, progress_total: total, stage } = row
  const isFilled = status === 'pending' || status === 'running'
  return {
    number,
    adapter,
    embed_model,
    state,
    ...(isFilled && current !== null && total !== null ? { progress: { current, total, stage } } : {}),
    ...(problem === null ? {} : { problem }),
    created_at,
    activated_at,
    retired_at,
  }
}

const onlyRoot = () => new AppError('NOT_AUTHORIZED', 'Only root may do this.')

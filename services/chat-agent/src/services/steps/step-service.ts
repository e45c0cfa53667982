import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { RunStep } from '@youworker/contracts/agent/run-steps'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { bytesOf } from '../clip.ts'
import { loadRun } from '../runs/load-run.ts'
import { type Contents, StepReader } from './step-reader.ts'
import { type StoredStep, storedSteps } from './stored-steps.ts'

type Page = HandlerOutput<typeof chatAgent.listSteps>

/** Most steps of a page that has what was asked and answered. */
const CONTENT_ROWS = 20

/** The calls that runs made, as their users read them. */
export class StepService {
  readonly #uow: ChatAgentUnitOfWork
  readonly #sealer: Sealer

  constructor(uow: ChatAgentUnitOfWork, sealer: Sealer) {
    this.#uow = uow
    this.#sealer = sealer
  }

  async list(userId: string, { run_id, include, after, limit }: HandlerInput<typeof chatAgent.listSteps>): Promise<Page> {
    const space = await this.#sealer.forSpace(userId)
    return this.#uow.in([userId]).read(async (repositories) => {
      const { runs, toolRuns } = repositories
      const run = await runs.find(run_id)
      if (!run) throw new AppError('RUN_NOT_FOUND', 'There is no such run')
      const [steps, unfinished, tools] = await Promise.all([
        runs.steps(run_id),
        runs.unfinishedCalls(run_id),
        toolRuns.stepsOf(run_id),
      ])
      const all = storedSteps(run, { steps, unfinished, tools })
      const page = all.slice(after, after + (include === 'content' ? Math.min(limit, CONTENT_ROWS) : limit))
      const contents = include === 'content' ? await readContents(repositories, space, run, page) : undefined
      return pageOf(page, { after, count: all.length }, new StepReader(space, run, contents))
    })
  }
}

/** The same number of statements for any number of steps. */
async function readContents(
  repositories: ChatAgentRepositories,
  space: SpaceSealer,
  run: RunRow,
  page: readonly StoredStep[],
): Promise<Contents> {
  const iterations = page.flatMap((step) => (step.is === 'answered' ? [step.row.iteration] : []))
  const ns = page.flatMap((step) => (step.is === 'unfinished' ? [step.row.n] : []))
  const [loaded, answered, unfinished] = await Promise.all([
    loadRun(repositories, space, run),
    repositories.runs.stepContents(run.id, iterations),
    repositories.runs.unfinishedContents(run.id, ns),
  ])
  return { loaded, answered, unfinished }
}

function pageOf(
  rows: readonly StoredStep[],
  { after, count }: { readonly after: number; readonly count: number },
  reader: StepReader,
): Page {
  const steps: RunStep[] = []
  let bytes = 0
  for (const [at, row] of rows.entries()) {
    const step = reader.read(row, after + at + 1)
    bytes += bytesOf(step) + 1
    if (steps.length > 0 && bytes > LIMITS.entriesPage) break
    steps.push(step)
  }
  const end = after + steps.length
  return { steps, next: end < count ? end : null }
}

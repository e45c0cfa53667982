import type { IndexAdapterName } from '@youworker/contracts/documents/index-generations'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { newId } from '@youworker/runtime/id'
import { ANALYSIS } from '../../../analysis/analyse.ts'
import type { GenerationRow, NewGeneration } from '../../../repositories/generation-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../../unit-of-work.ts'
import { modelOf, vectorsName } from '../model-prompts.ts'
import type { IndexAdapters } from './index-adapter.ts'

/** Fills an index. */
export const INDEX_KIND = 'index'
/** The user and the space of a job that is nobody's. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

interface PlanParts {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  /** The embedding model of the settings. */
  readonly model: string
  readonly logger: Logger
}

/** Decides which index there is to be: by the settings when a process starts, and by root. */
export class GenerationPlan {
  readonly #parts: PlanParts

  constructor(parts: PlanParts) {
    this.#parts = parts
  }

  /** The process that was started last has the last word. */
  async begin(): Promise<void> {
    const { uow, model, logger } = this.#parts
    await uow.system().write(async (repos) => {
      await repos.generations.lock()
      const rows = await repos.generations.kept()
      const active = rows.find(({ state }) => state === 'active') ?? (await this.#first(repos))
      const building = rows.find(({ state }) => state === 'building')
      const adapter = building?.adapter ?? active.adapter
      // Of a place that the settings do not name any more nothing can be read, so another index is made where one can be.
      const wanted = this.#wanted(this.#parts.adapters[adapter] ? adapter : this.#forNew)
      await this.#followLayout(repos, active)
      if (building && isSame(building, wanted)) return this.#goOn(repos, building)
      const isMigration = building !== undefined && building.adapter !== active.adapter
      if (isSame(active, this.#wanted(active.adapter)) && this.#parts.adapters[active.adapter] && !isMigration) {
        if (building) await drop(repos, building)
        return
      }
      if (building) await drop(repos, building)
      const { number } = await add(repos, wanted, 'building')
      logger.info({ number, model, before: active.embed_model }, 'a search index is made anew; searches use the one before')
    })
  }

  /** Begins to fill an index elsewhere. */
  async migrate(repos: IngestionRepositories, to: IndexAdapterName): Promise<void> {
    if (!this.#parts.adapters[to])
      throw new AppError('CONFLICT', 'Ingestion knows no Qdrant: set LLM__QDRANT_URL, restart it and ask again')
    await repos.generations.lock()
    const rows = await repos.generations.kept()
    const [building, active] = (['building', 'active'] as const).map((state) => rows.find((row) => row.state === state))
    if (building && building.adapter === to) return
    if (building) throw new AppError('CONFLICT', 'Another index is being made; wait for it or cancel it first')
    if (active?.adapter === to) throw new AppError('CONFLICT', `The search index is kept by ${to} already`)
    await add(repos, this.#wanted(to), 'building')
  }

  /** Drops the index that is being filled. */
  async cancel(repos: IngestionRepositories): Promise<void> {
    await repos.generations.lock()
    const building = (await repos.generations.kept()).find(({ state }) => state === 'building')
    if (!building) throw new AppError('CONFLICT', 'No index is being made')
    await drop(repos, building)
  }

  /** Where the index of a new installation is kept. */
  get #forNew(): IndexAdapterName {
    return this.#parts.adapters.qdrant ? 'qdrant' : 'embedded'
  }

  #wanted(adapter: IndexAdapterName): NewGeneration {
    const { model, adapters } = this.#parts
    const layout = adapters[adapter]?.layout ?? 0
    return { adapter, embed_model: model, vectors: vectorsName(model), terms: ANALYSIS, layout }
  }

  /** Of a new installation, or what one of a version before has, which may be by another model. */
  async #first(repos: IngestionRepositories): Promise<GenerationRow> {
    const [vectors] = await repos.generations.vectorNames(vectorsName(this.#parts.model))
    if (vectors === undefined) return add(repos, this.#wanted(this.#forNew), 'active')
    const before = this.#wanted('embedded')
    return add(repos, vectors === before.vectors ? before : { ...before, vectors, embed_model: modelOf(vectors) }, 'active')
  }

  /** This version cannot read the index, so it is filled again as it is: by the searches of each space, and by a job. */
  async #followLayout(repos: IngestionRepositories, { number, adapter, layout }: GenerationRow): Promise<void> {
    const current = this.#parts.adapters[adapter]?.layout
    if (current === undefined || current === layout) return
    await repos.generations.renew(number, { layout: current, job_id: await addJob(repos) })
  }

  /** Its job may have been given up. */
  async #goOn(repos: IngestionRepositories, { number, job_id, layout }: GenerationRow): Promise<void> {
    const status = (await repos.jobs.get(job_id))?.status
    if (status === 'pending' || status === 'running') return
    await repos.generations.renew(number, { layout, job_id: await addJob(repos) })
  }
}

const isSame = (a: NewGeneration, b: NewGeneration): boolean =>
  a.adapter === b.adapter && a.vectors === b.vectors && a.terms === b.terms

async function add(repos: IngestionRepositories, row: NewGeneration, state: 'building' | 'active'): Promise<GenerationRow> {
  return repos.generations.add({ ...row, job_id: await addJob(repos) }, state)
}

async function addJob({ jobs }: Pick<IngestionRepositories, 'jobs'>): Promise<string> {
  const id = newId()
  await jobs.add({ id, kind: INDEX_KIND, user_id: NOBODY, space_id: NOBODY, payload: {} })
  return id
}

async function drop({ generations, jobs }: IngestionRepositories, { number, job_id }: GenerationRow): Promise<void> {
  await generations.retire(number)
  await jobs.requestCancel(job_id)
}

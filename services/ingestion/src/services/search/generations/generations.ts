import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import type { GenerationRow } from '../../../repositories/generation-repository.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { Embedder, EmbeddingService } from '../embedding-service.ts'
import { embeddingTurns } from '../embedding-service.ts'
import type { Indexing } from '../index-service.ts'
import { type Generation, openGeneration } from './generation.ts'
import type { GenerationPlan } from './generation-plan.ts'
import type { IndexAdapters } from './index-adapter.ts'

interface GenerationsParts {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  readonly embedderOf: (model: string) => Embedder
  readonly plan: GenerationPlan
  readonly logger: Logger
}

/** A switch is seen by every process after this time at the latest. In ms. */
const FRESH_MS = 500

/** The search indexes that there are: the one that is searched, one that may be made beside it, and those that are about to be erased. */
export class Generations implements Indexing, AsyncDisposable {
  readonly #parts: GenerationsParts
  readonly #turns = embeddingTurns()
  readonly #embedders = new Map<string, Embedder>()
  readonly #open = new Map<number, Generation>()
  #isPlanned = false
  #reading: Promise<readonly GenerationRow[]> | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #rows: readonly GenerationRow[] = []

  constructor(parts: GenerationsParts) {
    this.#parts = parts
  }

  async active(): Promise<Generation> {
    return this.open(rowOf(await this.#kept(), 'active'))
  }

  /** Spaces of which an index has a part, and how to drop one. */
  async parts(): Promise<{ spaces: readonly string[]; drop: (spaceId: string) => Promise<void> }[]> {
    const rows = await this.#kept()
    const found = rows.map(async (row) => {
      const spaces = await this.#parts.adapters[row.adapter]?.spaces(row)
      return { spaces: spaces ?? [], drop: (spaceId: string) => this.open(row).index.drop(spaceId) }
    })
    return Promise.all(found)
  }

  /** All that may hold something, as far as the settings say where they are. The active one is first. */
  async all(): Promise<Generation[]> {
    const rows = (await this.#kept()).filter(({ adapter }) => this.#parts.adapters[adapter] !== undefined)
    const [active, others] = [rows.filter(isActive), rows.filter((row) => !isActive(row))]
    return [...active, ...others].map((row) => this.open(row))
  }

  /** By which documents are embedded: the model of the index that is searched, then that of the one that will take its place. */
  async embeddings(): Promise<[EmbeddingService, ...EmbeddingService[]]> {
    const rows = await this.#kept()
    const building = rows.filter(({ state, adapter }) => state === 'building' && this.#parts.adapters[adapter] !== undefined)
    return [this.open(rowOf(rows, 'active')).embeddings, ...building.map((row) => this.open(row).embeddings)]
  }

  async bringUpToDate(...args: Parameters<Indexing['bringUpToDate']>): ReturnType<Indexing['bringUpToDate']> {
    return (await this.active()).indexing.bringUpToDate(...args)
  }

  async forget(spaceId: string): Promise<void> {
    for (const { indexing } of await this.all()) await indexing.forget(spaceId)
  }

  /** Throws when this process may not use the index, or says what keeps a new one from being made. */
  async check(): Promise<string | { note: string } | undefined> {
    const problem = await (await this.active()).index.check()
    if (problem !== undefined) return problem
    const building = this.#rows.find(({ state }) => state === 'building')
    if (!building) return this.#parts.adapters.qdrant && this.#rows.some(isInFiles) ? { note: UNUSED_QDRANT } : undefined
    const what = `an index with ${building.embed_model} is being made; searches use the one before`
    return building.problem === null ? { note: what } : `${what}: ${building.problem}`
  }

  /** The next look sees what was changed just now. */
  refresh(): void {
    this.#readAt = Number.NEGATIVE_INFINITY
  }

  open(row: GenerationRow): Generation {
    const known = this.#open.get(row.number)
    if (known) return known
    const { uow, adapters, logger } = this.#parts
    const adapter = adapters[row.adapter]
    if (!adapter) throw noAdapter(row)
    const embedder = this.#embedderOf(row.embed_model)
    const state = () => this.#rows.find(({ number }) => number === row.number)?.state ?? row.state
    const generation = openGeneration(row, {
      uow,
      logger,
      index: adapter.open(row, () => dimensionsOf(embedder)),
      embedder,
      turns: this.#turns,
      isReplaced: () => state() === 'active' && this.#rows.some((other) => other.state === 'building'),
      isBuilding: () => state() === 'building',
    })
    this.#open.set(row.number, generation)
    return generation
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map((generation) => generation[Symbol.asyncDispose]()))
  }

  #embedderOf(model: string): Embedder {
    const known = this.#embedders.get(model) ?? this.#parts.embedderOf(model)
    this.#embedders.set(model, known)
    return known
  }

  /** From memory for a moment, because every search asks. */
  async #kept(): Promise<readonly GenerationRow[]> {
    if (performance.now() - this.#readAt < FRESH_MS) return this.#rows
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<readonly GenerationRow[]> {
    const startedAt = performance.now()
    if (!this.#isPlanned) await this.#parts.plan.begin()
    this.#isPlanned = true
    this.#rows = await this.#parts.uow.in([]).read(({ generations }) => generations.kept())
    this.#readAt = startedAt
    for (const [number, generation] of this.#open) {
      if (this.#rows.some((row) => row.number === number)) continue
      this.#open.delete(number)
      void this.#close(generation)
    }
    return this.#rows
  }

  async #close(erased: Generation): Promise<void> {
    try {
      await erased[Symbol.asyncDispose]()
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'an erased search index could not be closed')
    }
  }
}

const ASK_MS = 30_000

async function dimensionsOf(embedder: Embedder): Promise<number> {
  const [vector] = await embedder.embed(['a text of any kind'], { as: 'document', timeoutMs: ASK_MS })
  if (vector) return vector.length
  throw new AppError('SERVICE_UNAVAILABLE', 'The embedding model answered without a vector', { retryAfter: 5 })
}

const isInFiles = ({ state, adapter }: GenerationRow): boolean => state === 'active' && adapter === 'embedded'
const UNUSED_QDRANT =
  'the index is in files, and Qdrant, which the settings name, is not used; move it with: npm run youworker -- index migrate --to qdrant'

const isActive = ({ state }: GenerationRow): boolean => state === 'active'

function rowOf(rows: readonly GenerationRow[], state: GenerationRow['state']): GenerationRow {
  const row = rows.find((one) => one.state === state)
  if (!row) throw new AppError('SERVICE_UNAVAILABLE', 'There is no search index yet; try again in a second', { retryAfter: 1 })
  return row
}

const noAdapter = ({ adapter }: GenerationRow) =>
  new AppError(
    'SERVICE_UNAVAILABLE',
    `The search index is kept by ${adapter}, which the settings do not name any more; documents cannot be searched until they do, or until another index is complete`,
    { retryAfter: 60 },
  )

import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@youworker/contracts/errors'
import { type JobEnded, type JobRow, RetryJob } from '@youworker/database/jobs/jobs'
import type { Logger } from '@youworker/runtime/logger'
import type { GenerationRow } from '../../../repositories/generation-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../../unit-of-work.ts'
import { embeddable } from '../embedding-service.ts'
import { differencesOf } from '../index-differences.ts'
import type { Generation } from './generation.ts'
import type { Generations } from './generations.ts'
import type { IndexAdapters } from './index-adapter.ts'

interface BuilderParts {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  readonly generations: Generations
  readonly logger: Logger
}

type IndexJob = Pick<JobRow, 'id' | 'attempt' | 'stage'>

interface Pass {
  readonly generation: Generation
  readonly row: GenerationRow
  readonly signal: AbortSignal
  /** Fails when another worker has the job. */
  readonly write: <T>(work: (repos: IngestionRepositories) => Promise<T>) => Promise<T>
  readonly report: (current: number, stage: string) => Promise<void>
}

const SPACES = 100
const TEXTS = 512
const PROBE_MS = 20_000
/** After a pass as short as this so little has changed that the first searches bring the rest up to date. In ms. */
const SHORT_PASS_MS = 2_000
/** The rest after a batch, as a share of its time, so that searches and ingestions reach the model in between. */
const REST = 0.5
const LONGEST_REST_MS = 2_000
/** How often a new index is compared and filled anew where it was wrong. */
const MOST_COMPARISONS = 3
const OF_INDEX: ReadonlySet<string> = new Set(['missing_entries', 'orphan_entries', 'wrong_generations'])
const NO_VECTOR = 'entries_without_vector'
const STAGE = { emptying: 'emptying', embedding: 'embedding', checking: 'checking' } as const

/** Of a text that is gone meanwhile no vector is kept. */
const stored =
  <T>(work: (repos: IngestionRepositories) => Promise<T>, space: string, hashes: readonly string[]) =>
  async (repos: IngestionRepositories): Promise<T> => {
    await repos.index.holdStill(space)
    const result = await work(repos)
    await repos.embeddings.deleteUnused(space, hashes)
    return result
  }

/**
 * Fills an index from the stored passages, space by space, again and again until it has all that changed meanwhile; then it is compared with
 * Postgres and becomes the one that is searched. What is stored survives the worker: vectors in Postgres, and how far each space is in the index.
 */
export class GenerationBuilder {
  readonly #parts: BuilderParts

  constructor(parts: BuilderParts) {
    this.#parts = parts
  }

  async run(job: IndexJob, { attempt, signal }: { attempt: number; signal: AbortSignal }): Promise<JobEnded> {
    const { uow } = this.#parts
    const row = await uow.system().read(({ generations }) => generations.ofJob(job.id))
    if (!row || row.state === 'retired' || row.state === 'erased') return this.#end({ ...job, attempt }, 'cancelled')
    try {
      return await this.#build({ ...job, attempt }, row, signal)
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError)) throw error
      await uow.system().write(({ generations }) => generations.note(row.number, error.message))
      throw new RetryJob(error.message, { tries: attempt, cause: error })
    }
  }

  async giveUp({ id, attempt }: IndexJob, reason: string): Promise<JobEnded> {
    return this.#parts.uow.system().write(async ({ generations, jobs }) => {
      const row = await generations.ofJob(id)
      if (row) await generations.note(row.number, `${reason}; restart ingestion to try again`)
      return jobs.finish(id, attempt, { status: 'failed', error: reason })
    })
  }

  async #build(job: IndexJob, row: GenerationRow, signal: AbortSignal): Promise<JobEnded> {
    const { uow, adapters, generations, logger } = this.#parts
    const total = await uow.system().read((repos) => repos.generations.allPassages())
    const write: Pass['write'] = (work) =>
      uow.system().write(async (repos) => {
        await repos.jobs.fence(job.id, job.attempt)
        return work(repos)
      })
    const report = (current: number, stage: string) =>
      write(({ jobs }) => jobs.progress(job.id, job.attempt, { current, total: Math.max(total, current), stage }))
    // What a restored backup or an attempt without a row has left there.
    if (row.state === 'building' && (job.stage === null || job.stage === STAGE.emptying)) {
      await report(0, STAGE.emptying)
      await adapters[row.adapter]?.erase(row)
    }
    const pass: Pass = { row, generation: generations.open(row), signal, write, report }
    // The active one may only need what Postgres has, and no model.
    if (row.state === 'building') await this.#probe(pass)
    await this.#fill(pass)
    if (row.state === 'building') await this.#untilRight(pass)
    const ended = await this.#activate(job, row)
    generations.refresh()
    // When this process dies before, the erasure of the one before does it.
    await adapters[row.adapter]?.activate(row)
    logger.info({ number: row.number, model: row.embed_model, passages: total }, 'a search index is complete')
    return ended
  }

  /** Before anything is done: whether the model is there, which also loads it. */
  async #probe({ generation: { embedder, trust }, row, signal, write }: Pass): Promise<void> {
    await embedder.embed(['a search index'], { as: 'document', signal, timeoutMs: PROBE_MS })
    await trust.get(PROBE_MS)
    await write(({ generations }) => generations.note(row.number, null))
  }

  async #fill(pass: Pass): Promise<void> {
    for (let changed = true; changed;) {
      const started = performance.now()
      changed = await this.#fillAll(pass)
      if (performance.now() - started < SHORT_PASS_MS) return
    }
  }

  async #fillAll(pass: Pass): Promise<boolean> {
    const { generation, signal } = pass
    let [done, changed]: [number, boolean] = [0, false]
    await this.#eachSpaces(async (spaces) => {
      const passages = await this.#parts.uow.inWithDeleted(spaces).read(({ generations }) => generations.passages(spaces))
      const behind = new Set(await generation.indexing.behind(spaces))
      for (const space of spaces) {
        signal.throwIfAborted()
        if (behind.has(space)) {
          changed = true
          await this.#fillSpace(pass, space, done)
        }
        done += passages.get(space) ?? 0
      }
      await pass.report(done, STAGE.embedding)
    })
    return changed
  }

  /** Embeds what has no vector of the model yet, with pauses; then the index takes all that it has not. */
  async #fillSpace({ generation, row, signal, write, report }: Pass, space: string, before: number): Promise<void> {
    const scope = this.#parts.uow.inWithDeleted([space])
    let [after, embedded]: [string, number] = ['', 0]
    for (let size = TEXTS; size === TEXTS;) {
      const query = { vectors: row.vectors, after, limit: TEXTS }
      const page = await scope.read(({ generations }) => generations.withoutVector(space, query))
      let started = performance.now()
      const onProgress = async (done: number) => {
        await report(before + embedded + done, STAGE.embedding)
        await sleep(Math.min(LONGEST_REST_MS, REST * (performance.now() - started)), undefined, { signal })
        started = performance.now()
      }
      const texts = page.map(({ text_hash, ...chunk }) => ({ text_hash, text: embeddable(chunk).text }))
      const hashes = texts.map(({ text_hash }) => text_hash)
      await generation.embeddings.embed(space, texts, { write: (work) => write(stored(work, space, hashes)), signal, onProgress })
      size = page.length
      embedded += size
      after = page.at(-1)?.text_hash ?? after
    }
    await generation.indexing.bringUpToDate([space], { signal })
  }

  async #untilRight(pass: Pass): Promise<void> {
    for (let round = 1; round <= MOST_COMPARISONS; round += 1) {
      const isRight = await this.#compare(pass, round)
      await this.#fill(pass)
      if (isRight) return
    }
    const message =
      'The new search index differs from the documents each time it is filled; the log of ingestion names the spaces'
    throw new AppError('SERVICE_UNAVAILABLE', message, { retryAfter: 60 })
  }

  /** Drops what the index has of spaces where it differs from Postgres, to be filled anew. */
  async #compare({ generation, signal, report, row }: Pass, round: number): Promise<boolean> {
    const parts = { uow: this.#parts.uow, ...generation }
    let [done, isRight]: [number, boolean] = [0, true]
    await this.#eachSpaces(async (spaces) => {
      for (const space of spaces) {
        signal.throwIfAborted()
        // One that changes all the time is brought up to date by its next search.
        const found = await differencesOf(parts, space, signal).catch((error: unknown) => {
          if (error instanceof AppError && error.code === 'SERVICE_UNAVAILABLE') return undefined
          throw error
        })
        // A text may have no direction, so that an index never takes its vector.
        const wrong = [...(found?.counts.keys() ?? [])].filter(
          (kind) => OF_INDEX.has(kind) || (kind === NO_VECTOR && round === 1),
        )
        if (wrong.length === 0) continue
        isRight = false
        this.#parts.logger.warn(
          { space_id: space, number: row.number, wrong },
          'a part of a new search index was wrong and is filled again',
        )
        await generation.index.drop(space)
      }
      const passages = await this.#parts.uow.inWithDeleted(spaces).read(({ generations }) => generations.passages(spaces))
      done += [...passages.values()].reduce((sum, count) => sum + count, 0)
      await report(done, STAGE.checking)
    })
    return isRight
  }

  async #eachSpaces(work: (spaces: readonly string[]) => Promise<void>): Promise<void> {
    let after: string | undefined
    for (let size = SPACES; size === SPACES;) {
      const spaces = await this.#parts.uow.system().read(({ checks }) => checks.spaces(after, SPACES))
      if (spaces.length > 0) await work(spaces)
      size = spaces.length
      after = spaces.at(-1)
    }
  }

  #activate({ id, attempt }: IndexJob, row: GenerationRow): Promise<JobEnded> {
    return this.#parts.uow.system().write(async ({ generations, jobs }) => {
      await jobs.fence(id, attempt)
      await generations.note(row.number, null)
      const isUsed = row.state === 'active' || (await generations.activate(row.number))
      return jobs.finish(id, attempt, { status: isUsed ? 'success' : 'cancelled' })
    })
  }

  #end({ id, attempt }: IndexJob, status: 'cancelled'): Promise<JobEnded> {
    return this.#parts.uow.system().write(({ jobs }) => jobs.finish(id, attempt, { status }))
  }
}

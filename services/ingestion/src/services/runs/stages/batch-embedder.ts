import { AppError } from '@youworker/contracts/errors'
import type { StagedText } from '../../../repositories/stage-repository.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import { embeddable, type EmbeddingService } from '../../search/embedding-service.ts'
import type { Generations } from '../../search/generations/generations.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'
import { isOfFile } from './file-error.ts'

/** Texts that are looked up and held at a time. */
const PAGE = 512

/** From staged chunks to vectors: `embedded`. What an earlier attempt has embedded, or another document has, is not embedded again. */
export class BatchEmbedder {
  readonly #uow: IngestionUnitOfWork
  readonly #generations: Pick<Generations, 'embeddings'>

  constructor({ uow, generations }: { uow: IngestionUnitOfWork; generations: Pick<Generations, 'embeddings'> }) {
    this.#uow = uow
    this.#generations = generations
  }

  /** Returns those with all vectors; the others have failed, because the model refuses their texts. */
  async embed(attempt: Attempt, files: readonly StoredFile[]): Promise<StoredFile[]> {
    if (files.length === 0) return []
    const started = performance.now()
    try {
      await this.#embedAll(attempt, files)
    } catch (error) {
      attempt.signal.throwIfAborted()
      if (!(error instanceof AppError) || !isOfFile(error)) throw error
      return files.length === 1 ? this.#fail(attempt, files, error, started) : this.#oneByOne(attempt, files)
    }
    const { run, number, write } = attempt
    const facts = { stage: 'indexing', percent: 90, checkpoint: 'embedded' } as const
    const entries = [entry('embedded', number, started)]
    await write(({ stages }) =>
      stages.record(
        run.id,
        files.map(({ file }) => ({ index: file.index, ...facts, entries })),
      ),
    )
    return [...files]
  }

  /** The refused text is one file's: the others must not fail with it. */
  async #oneByOne(attempt: Attempt, files: readonly StoredFile[]): Promise<StoredFile[]> {
    const embedded: StoredFile[] = []
    for (const file of files) embedded.push(...(await this.embed(attempt, [file])))
    return embedded
  }

  async #fail({ run, number, write }: Attempt, files: readonly StoredFile[], error: AppError, started: number): Promise<[]> {
    const entries = [entry('embedded', number, started, { error: error.message })]
    const facts = { status: 'failed', stage: 'done', percent: 100, error: error.message, entries } as const
    await write(({ stages }) =>
      stages.record(
        run.id,
        files.map(({ file }) => ({ index: file.index, ...facts })),
      ),
    )
    return []
  }

  /** While the embedding model is changed, the one before may be gone: then the next one is enough. */
  async #embedAll(attempt: Attempt, files: readonly StoredFile[]): Promise<void> {
    const [current, next] = await this.#generations.embeddings()
    try {
      await this.#embedBy(current, attempt, files)
    } catch (error) {
      if (attempt.signal.aborted || next === undefined || !(error instanceof AppError)) throw error
      await this.#embedBy(next, attempt, files).catch(() => {
        throw error
      })
    }
  }

  async #embedBy(embeddings: EmbeddingService, { run, signal, write }: Attempt, files: readonly StoredFile[]): Promise<void> {
    const indexes = files.map(({ file }) => file.index)
    const { target_space_id: space, user_id: user } = run
    const { model } = embeddings
    const scope = this.#uow.in([space])
    let after: StagedText | undefined
    for (;;) {
      const page = await scope.read(({ stages }) => stages.withoutVector(run.id, indexes, { model, after, limit: PAGE }))
      const texts = page.map(({ text_hash, ...chunk }) => ({ text_hash, text: embeddable(chunk).text }))
      const onProgress = (done: number) => this.#report(write, run.id, page[Math.max(0, done - 1)])
      await embeddings.embed(space, texts, { write, signal, user, ...(page.length < PAGE ? {} : { onProgress }) })
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }

  /** Of a long file: how far it is. */
  async #report(write: Attempt['write'], runId: string, last: StagedText | undefined): Promise<void> {
    if (!last) return
    await write(({ stages }) => stages.reportEmbedded(runId, last))
  }
}

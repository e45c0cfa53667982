import { setTimeout as sleep } from 'node:timers/promises'
import type { RunFileRow } from '@youworker/database/owners/ingestion/tables'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { seenBy } from '../documents/document-path.ts'
import type { Indexing } from '../search/index-service.ts'
import { type Attempt, entry, type StoredFile } from './attempt.ts'
import type { FairSlots } from './fair-slots.ts'
import type { BatchCommitter } from './stages/batch-committer.ts'
import type { BatchEmbedder } from './stages/batch-embedder.ts'
import type { BatchReader } from './stages/batch-reader.ts'
import type { RecordingListener } from './stages/recording-listener.ts'
import type { KnownContent } from './stages/known-content.ts'

interface BatchDependencies {
  readonly uow: IngestionUnitOfWork
  readonly indexing: Indexing
  readonly space: FreeSpace
  readonly slots: FairSlots
  readonly known: KnownContent
  readonly listener: RecordingListener
  readonly reader: BatchReader
  readonly embedder: BatchEmbedder
  readonly committer: BatchCommitter
  /** Names how this process reads. */
  readonly pipeline: string
}

const LOOK_FOR_ROOM_MS = 1_000

/** Takes a batch of files through what is left of their way. Each step is stored for all of them in one transaction. */
export class BatchProcessor {
  readonly #it: BatchDependencies

  constructor(dependencies: BatchDependencies) {
    this.#it = dependencies
  }

  async process(attempt: Attempt, files: readonly RunFileRow[]): Promise<void> {
    const { run, signal } = attempt
    const open = files.filter(({ status }) => status !== 'success')
    if (open.length > 0) {
      await this.#untilRoom(attempt, open)
      await this.#toDocuments(attempt, await this.#stored(attempt, open))
    }
    const started = performance.now()
    await this.#it.indexing.bringUpToDate([run.target_space_id], { signal })
    await attempt.write(({ stages }) =>
      stages.complete(run.id, run.target_space_id, {
        indexes: files.map(({ index }) => index),
        entries: [entry('indexed', attempt.number, started)],
      }),
    )
  }

  async #toDocuments(attempt: Attempt, files: readonly StoredFile[]): Promise<void> {
    const { known, listener, reader, embedder, committer, slots, pipeline } = this.#it
    const user = attempt.run.user_id
    // What another version of the pipeline has staged is read again, so that a document is of one version.
    const isStaged = ({ file }: StoredFile) => file.checkpoint !== null && file.pipeline === pipeline
    const fresh = files.filter((stored) => !isStaged(stored))
    const { unknown, linked } = await known.sort(attempt, fresh)
    const heard = await listener.transcribe(attempt, unknown)
    const read = await using(await slots.take(user, attempt.signal), () => reader.read(attempt, unknown, heard))
    const embedded = await embedder.embed(attempt, [...files.filter(isStaged), ...read])
    const changed = await committer.commit(attempt, [...embedded, ...linked])
    if (changed.length === 0) return
    const repeated = changed.map(({ file, blob }) => ({ file, blob }))
    const again = await reader.read(attempt, repeated, await listener.transcribe(attempt, repeated))
    await committer.commit(attempt, await embedder.embed(attempt, again))
  }

  /** Those whose bytes are there; the others fail. */
  async #stored({ run, number, write }: Attempt, files: readonly RunFileRow[]): Promise<StoredFile[]> {
    const ids = files.flatMap(({ blob_id }) => blob_id ?? [])
    const blobs = ids.length === 0 ? [] : await this.#it.uow.in(...seenBy(run)).read((repos) => repos.blobs.getAll(ids))
    const byId = new Map(blobs.map((blob) => [blob.id, blob]))
    const stored = files.flatMap((file) => {
      const blob = byId.get(file.blob_id ?? '')
      return blob ? [{ file, blob }] : []
    })
    const gone = files.filter(({ blob_id }) => !byId.has(blob_id ?? ''))
    const error = 'the uploaded file is gone; upload it again'
    const entries = [entry('fetched', number, performance.now(), { error })]
    const records = gone.map(({ index }) => ({ index, status: 'failed', stage: 'done', percent: 100, error, entries }) as const)
    if (gone.length > 0) await write(({ stages }) => stages.record(run.id, records))
    return stored
  }

  /** While the disk is nearly full a run waits, and its next file says so. */
  async #untilRoom({ run, signal, write }: Attempt, files: readonly RunFileRow[]): Promise<void> {
    const { space } = this.#it
    const why = await space.shortage()
    const [first] = files
    if (why === undefined || !first) return
    await write(({ stages }) => stages.record(run.id, [{ index: first.index, error: why }]))
    while ((await space.shortage()) !== undefined) await sleep(LOOK_FOR_ROOM_MS, undefined, { signal })
    await write(({ stages }) => stages.record(run.id, [{ index: first.index }]))
  }
}

async function using<T>(slot: Disposable, work: () => Promise<T>): Promise<T> {
  using _held = slot
  return work()
}

import { availableParallelism } from 'node:os'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import type { ChunkSize } from '../../chunking/chunk-document.ts'
import type { ReaderPool } from '../../reading/reader-pool.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore } from '../files/blob-store.ts'
import type { Generations } from '../search/generations/generations.ts'
import { BatchProcessor } from './batch-processor.ts'
import { FairSlots } from './fair-slots.ts'
import { pipelineVersion } from './pipeline-version.ts'
import { BatchCommitter } from './stages/batch-committer.ts'
import { BatchEmbedder } from './stages/batch-embedder.ts'
import { BatchReader } from './stages/batch-reader.ts'
import { RecordingListener } from './stages/recording-listener.ts'
import type { Transcriber } from './stages/transcriber.ts'
import { KnownContent } from './stages/known-content.ts'

interface Ports {
  readonly uow: IngestionUnitOfWork
  readonly store: BlobStore
  readonly readers: ReaderPool
  readonly transcriber?: Transcriber | undefined
  readonly generations: Generations
  readonly space: FreeSpace
  readonly chunks: ChunkSize
}

/** Batches of one user that are read at the same time: what the machine computes at the same time. */
export const LANES = Math.max(2, availableParallelism())

/** Wires the steps of a batch. */
export function createBatches({ uow, store, readers, transcriber, generations, space, chunks }: Ports): BatchProcessor {
  const pipeline = pipelineVersion(chunks)
  return new BatchProcessor({
    uow,
    pipeline,
    indexing: generations,
    space,
    // Twice as many as one user may have, because a long file of one must not keep others waiting.
    slots: new FairSlots({ total: 2 * LANES, each: LANES }),
    known: new KnownContent(pipeline),
    listener: new RecordingListener({ store, transcriber }),
    reader: new BatchReader({ store, readers, chunks, pipeline }),
    embedder: new BatchEmbedder({ uow, generations }),
    committer: new BatchCommitter({ store, pipeline }),
  })
}

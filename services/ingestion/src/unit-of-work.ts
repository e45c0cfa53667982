import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import type { Database } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { BlobRepository } from './repositories/blob-repository.ts'
import { CheckRepository } from './repositories/check-repository.ts'
import { DocumentRepository } from './repositories/document-repository.ts'
import { EmbeddingRepository } from './repositories/embedding-repository.ts'
import { GenerationRepository } from './repositories/generation-repository.ts'
import { PreviewRepository } from './repositories/sharing/preview-repository.ts'
import { GrantRepository } from './repositories/sharing/grant-repository.ts'
import { IndexRepository } from './repositories/index-repository.ts'
import { TraceRepository } from './repositories/trace-repository.ts'
import { LabelRepository } from './repositories/label-repository.ts'
import { ResumableRepository } from './repositories/resumable-repository.ts'
import { RunRepository } from './repositories/run-repository.ts'
import { SourceRepository } from './repositories/source-repository.ts'
import { SearchRepository } from './repositories/search-repository.ts'
import { StageRepository } from './repositories/stage-repository.ts'
import { BatchRepository } from './repositories/stores/batch-repository.ts'
import { StoreFileRepository } from './repositories/stores/store-file-repository.ts'
import { StoreRepository } from './repositories/stores/store-repository.ts'
import { FileRepository } from './repositories/stores/file-repository.ts'
import { VersionRepository } from './repositories/version-repository.ts'

export interface IngestionRepositories extends SystemRepositories {
  readonly blobs: BlobRepository
  readonly runs: RunRepository
  readonly stages: StageRepository
  readonly versions: VersionRepository
  readonly documents: DocumentRepository
  readonly embeddings: EmbeddingRepository
  readonly index: IndexRepository
  readonly generations: GenerationRepository
  readonly traces: TraceRepository
  readonly checks: CheckRepository
  readonly sources: SourceRepository
  readonly searches: SearchRepository
  readonly labels: LabelRepository
  readonly grants: GrantRepository
  readonly previews: PreviewRepository
  readonly resumable: ResumableRepository
  readonly files: FileRepository
  readonly stores: StoreRepository
  readonly storeFiles: StoreFileRepository
  readonly fileBatches: BatchRepository
}

export type IngestionUnitOfWork = UnitOfWork<IngestionRepositories>

export const createIngestionUnitOfWork = (database: Database<IngestionTables>): IngestionUnitOfWork =>
  createUnitOfWork(database, (trx) => ({
    blobs: new BlobRepository(trx),
    runs: new RunRepository(trx),
    stages: new StageRepository(trx),
    versions: new VersionRepository(trx),
    documents: new DocumentRepository(trx),
    embeddings: new EmbeddingRepository(trx),
    index: new IndexRepository(trx),
    generations: new GenerationRepository(trx),
    traces: new TraceRepository(trx),
    checks: new CheckRepository(trx),
    sources: new SourceRepository(trx),
    searches: new SearchRepository(trx),
    labels: new LabelRepository(trx),
    grants: new GrantRepository(trx),
    previews: new PreviewRepository(trx),
    resumable: new ResumableRepository(trx),
    files: new FileRepository(trx),
    stores: new StoreRepository(trx),
    storeFiles: new StoreFileRepository(trx),
    fileBatches: new BatchRepository(trx),
  }))

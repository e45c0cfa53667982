import type { ingestion } from '@youworker/contracts/ingestion'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { DeletionService } from '../services/documents/deletion-service.ts'
import type { DocumentEditor } from '../services/documents/document-editor.ts'
import type { PreviewService } from '../services/documents/preview/preview-service.ts'
import type { DocumentService } from '../services/documents/document-service.ts'
import type { EmbeddingService } from '../services/search/embedding-service.ts'
import type { ExplainService } from '../services/search/explain/explain-service.ts'
import type { IndexOperator } from '../services/search/generations/index-operator.ts'
import type { IndexChecker } from '../services/search/index-check.ts'
import type { CollectionAccessService } from '../services/labels/collection-access.ts'
import type { LabelService } from '../services/labels/label-service.ts'
import type { RunService } from '../services/runs/run-service.ts'
import type { TimelineService } from '../services/runs/timeline-service.ts'
import type { RunStarter } from '../services/runs/run-starter.ts'
import type { SourceStarter } from '../services/sources/source-starter.ts'
import type { CallerSlots } from '../services/search/caller-slots.ts'
import type { SearchService } from '../services/search/search-service.ts'
import type { ResumableService } from '../services/files/resumable-service.ts'
import { accessHandlers, labelHandlers } from './label-handlers.ts'
import { storeHandlers, type StoreServices } from './store-handlers.ts'
import type { UploadService } from '../services/files/upload-service.ts'

interface IngestionServices extends StoreServices {
  readonly uploads: UploadService
  readonly resumable: ResumableService
  readonly starter: RunStarter
  readonly sources: SourceStarter
  readonly runs: RunService
  readonly timelines: TimelineService
  readonly documents: DocumentService
  readonly previews: PreviewService
  readonly deletion: DeletionService
  readonly editor: DocumentEditor
  readonly searches: SearchService
  readonly callers: CallerSlots
  readonly explainer: ExplainService
  readonly embeddings: EmbeddingService
  readonly checker: IndexChecker
  readonly operator: IndexOperator
  readonly labels: LabelService
  readonly collectionAccess: CollectionAccessService
}

export const ingestionHandlers = (services: IngestionServices): Handlers<typeof ingestion> => {
  const { uploads, resumable, starter, sources, runs, timelines, documents, deletion, editor } = services
  const { searches, explainer, callers, embeddings, checker, operator } = services
  return {
    openUpload: (input, context) => uploads.create(input, context),
    storeUpload: (input, context) => uploads.store(input, context),
    writeUpload: (input, context) => uploads.write(input, context),
    openResumableUpload: (input, context) => resumable.create(input, context),
    getUpload: (input, context) => resumable.get(input, context),
    appendUpload: (input, context) => resumable.append(input, context),
    completeUpload: (input, context) => resumable.complete(input, context),
    dropUpload: (input, context) => resumable.drop(input, context),
    finishUpload: (input, context) => uploads.finish(input, context),
    ...labelHandlers(services.labels),
    ...accessHandlers(services.collectionAccess),
    ...storeHandlers(services),
    readBlob: (input, context) => uploads.read(input, context),
    startRun: (input, context) => starter.start(input, context),
    startSourceRun: (input, context) => sources.start(input, context),
    getRun: (input, context) => runs.get(input, context),
    listRuns: (input, context) => runs.list(input, context),
    cancelRun: (input, context) => runs.cancel(input, context),
    pauseRun: (input, context) => runs.pause(input, context),
    resumeRun: (input, context) => runs.resume(input, context),
    getRunTimeline: (input, context) => runs.timeline(input, context),
    getDocumentTimeline: (input, context) => timelines.ofDocument(input, context),
    retryRun: (input, context) => runs.retry(input, context),
    deleteRun: (input, context) => runs.delete(input, context),
    listTasks: (input, context) => runs.listTasks(input, context),
    getTask: (input, context) => runs.getTask(input, context),
    cancelTask: (input, context) => runs.cancelTask(input, context),
    listDocuments: (input, context) => documents.list(input, context),
    sumCollections: (input, context) => documents.sumCollections(input, context),
    getDocument: (input, context) => documents.get(input, context),
    updateDocument: (input, context) => editor.update(input, context),
    listChunks: (input, context) => documents.listChunks(input, context),
    deleteDocument: (input, context) => deletion.delete(input, context),
    restoreDocument: (input, context) => deletion.restore(input, context),
    listErasures: (input, context) => deletion.listErasures(input, context),
    openContent: (input, context) => documents.openContent(input, context),
    previewDocument: (input, context) => services.previews.preview(input, context),
    search: (input, context) => callers.run(context.caller.user_id, () => searches.search(input, context)),
    checkIndex: (input, context) => checker.check(input, context),
    getIndex: (input, context) => operator.get(input, context),
    migrateIndex: (input, context) => operator.migrate(input, context),
    cancelIndexBuild: (input, context) => operator.cancel(input, context),
    explainSearch: (input, context) => callers.run(context.caller.user_id, () => explainer.explain(input, context)),
    embedTexts: ({ texts }, { signal }) => embeddings.vectorsOf(texts, signal),
  }
}

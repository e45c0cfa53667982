import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import { newTraceparent } from '@youworker/runtime/correlation'
import { currentRequest } from '@youworker/runtime/current-request'
import type { IngestionRepositories } from '../../../unit-of-work.ts'
import { changeOf, type NotYourDocument } from '../../documents/document-rights.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'

/** The file would replace a document that its user may not change: it fails, and the audit trail says so. */
export async function refuse(
  { stages, outbox }: IngestionRepositories,
  { run, number }: Attempt,
  { file }: StoredFile,
  error: NotYourDocument,
): Promise<void> {
  const entries = [entry('indexed', number, performance.now(), { error: error.message })]
  await stages.record(run.id, [
    { index: file.index, status: 'failed', stage: 'done', percent: 100, error: error.message, entries },
  ])
  await stages.dropStaged(run.id, [file.index])
  const denied = changeOf(error.document_id, run.user_id, 'document.replace', 'denied')
  const { correlationId = run.id, traceparent = newTraceparent() } = currentRequest()
  recordAudit(outbox, ingestion.auditRecorded, denied, { correlationId, traceparent })
}

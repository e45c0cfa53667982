import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { DocumentRow, RunFileRow } from '@youworker/database/owners/ingestion/tables'
import { newTraceparent } from '@youworker/runtime/correlation'
import { currentRequest } from '@youworker/runtime/current-request'
import type { IngestionRepositories } from '../../../unit-of-work.ts'
import { changeOf, type NotYourDocument } from '../../documents/document-rights.ts'
import { type Attempt, entry, type StoredFile } from '../attempt.ts'

/** A file that is a document already, which was deleted or moved while it was read: it does not come back as another one. */
export class FileGone extends Error {
  constructor() {
    super('the file was deleted or moved while it was read; put it into the store again')
  }
}

export const isGone = ({ document_id }: Pick<RunFileRow, 'document_id'>, present: Pick<DocumentRow, 'id'> | undefined): boolean =>
  document_id !== null && document_id !== present?.id

/** The file fails. When it would replace a document that its user may not change, the audit trail says so. */
export async function refuse(
  { stages, outbox }: IngestionRepositories,
  { run, number }: Attempt,
  { file }: StoredFile,
  error: NotYourDocument | FileGone,
): Promise<void> {
  const entries = [entry('indexed', number, performance.now(), { error: error.message })]
  await stages.record(run.id, [
    { index: file.index, status: 'failed', stage: 'done', percent: 100, error: error.message, entries },
  ])
  await stages.dropStaged(run.id, [file.index])
  if (error instanceof FileGone) return
  const denied = changeOf(error.document_id, run.user_id, 'document.replace', 'denied')
  const { correlationId = run.id, traceparent = newTraceparent() } = currentRequest()
  recordAudit(outbox, ingestion.auditRecorded, denied, { correlationId, traceparent })
}

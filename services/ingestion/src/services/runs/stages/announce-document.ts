import { ingestion } from '@youworker/contracts/ingestion'
import type { DocumentRow, RunRow } from '@youworker/database/owners/ingestion/tables'
import type { IngestionRepositories } from '../../../unit-of-work.ts'

export function announceDocument(
  { outbox }: Pick<IngestionRepositories, 'outbox'>,
  run: Pick<RunRow, 'user_id'>,
  { id: document_id, space_id, bytes_size, chunk_count: chunks }: DocumentRow,
  { replaced }: { replaced: boolean },
): void {
  outbox.add(ingestion.documentIngested, { document_id, user_id: run.user_id, space_id, bytes_size, chunks, replaced })
}

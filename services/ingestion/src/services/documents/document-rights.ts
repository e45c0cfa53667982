import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { AppError } from '@youworker/contracts/errors'
import type { Role } from '@youworker/contracts/group'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'

/** A member of the document's group may not change it. */
export class NotYourDocument extends AppError {
  readonly document_id: string

  constructor(documentId: string) {
    super(
      'NOT_GROUP_ADMIN',
      'Only who brought this document and the admins of its group may change, delete, restore or replace it; ask one of them',
    )
    this.document_id = documentId
  }
}

/**
 * Who may change, delete, restore or replace a document of a space that they may use: who brought its present version, and an admin of the group.
 * `role`: in the document's group, at this moment. Throws {@link NotYourDocument}.
 */
export function requireMayChange(document: Pick<DocumentRow, 'id' | 'user_id'>, userId: string, role: Role | undefined): void {
  if (document.user_id !== userId && role !== 'admin') throw new NotYourDocument(document.id)
}

/** Audited, allowed or denied. */
export type DocumentAct =
  | 'document.delete'
  | 'document.purge'
  | 'document.restore'
  | 'document.replace'
  | 'document.update'
  | 'document.move'

export const changeOf = (
  document_id: string,
  actor_id: string,
  action: DocumentAct,
  outcome: AuditEntry['outcome'],
): Omit<AuditEntry, 'correlation_id'> => ({ actor_id, action, outcome, target_type: 'document', target_id: document_id })

import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { AppError } from '@youworker/contracts/errors'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { SpaceRights } from '../space-access.ts'

/** A member of the document's group may not change it. */
export class NotYourDocument extends AppError {
  readonly document_id: string

  constructor(documentId: string, { document_changes }: SpaceRights) {
    const who =
      document_changes === 'admins'
        ? 'Only the admins of the group'
        : 'Only who brought this document and the admins of its group'
    super('NOT_GROUP_ADMIN', `${who} may change, delete, restore or replace it; ask one of them`)
    this.document_id = documentId
  }
}

/** Who may change every document of a group: its admins, and all members where its policy says so. */
export const mayChangeAll = ({ role, document_changes }: SpaceRights): boolean =>
  role === 'admin' || (role !== undefined && document_changes === 'members')

/** Whether those who brought documents may change them. */
export const mayChangeOwn = ({ role, document_changes }: SpaceRights): boolean =>
  role === undefined || document_changes !== 'admins'

/**
 * Who may change, delete, restore or replace a document of a space that they may use: who brought its present version, unless the group leaves
 * that to its admins, and {@link mayChangeAll}. `rights`: in the document's space, at this moment. Throws {@link NotYourDocument}.
 */
export function requireMayChange(document: Pick<DocumentRow, 'id' | 'user_id'>, userId: string, rights: SpaceRights): void {
  const mayChange = mayChangeAll(rights) || (mayChangeOwn(rights) && document.user_id === userId)
  if (!mayChange) throw new NotYourDocument(document.id, rights)
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

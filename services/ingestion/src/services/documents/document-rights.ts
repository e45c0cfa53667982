import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { AppError } from '@youworker/contracts/errors'
import type { DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { SpaceRights } from '../space-access.ts'

/** Who may see the document may not change it. */
export class NotYourDocument extends AppError {
  readonly document_id: string

  constructor(documentId: string, { document_changes, collections }: SpaceRights) {
    const who =
      document_changes === 'admins'
        ? 'Only the admins of the group'
        : 'Only who brought this document and the admins of its group'
    if (collections)
      super('NOT_AUTHORIZED', 'You may read this collection and not change it; ask whose it is to make you a writer')
    else super('NOT_GROUP_ADMIN', `${who} may change, delete, restore or replace it; ask one of them`)
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
 * that to its admins, and {@link mayChangeAll}; of those outside the space the writers of its collection. `rights`: in the document's space, at this moment. Throws {@link NotYourDocument}.
 */
export function requireMayChange(
  document: Pick<DocumentRow, 'id' | 'user_id' | 'collection'>,
  userId: string,
  rights: SpaceRights,
): void {
  if (!mayChange(document, userId, rights)) throw new NotYourDocument(document.id, rights)
}

function mayChange(
  { user_id, collection }: Pick<DocumentRow, 'user_id' | 'collection'>,
  userId: string,
  rights: SpaceRights,
): boolean {
  if (rights.collections) return rights.collections.some(({ name, role }) => name === collection && role === 'writer')
  return mayChangeAll(rights) || (mayChangeOwn(rights) && user_id === userId)
}

/** Who is in the space sees the document, and who was let into its collection. */
export const maySee = (
  { collection }: Pick<DocumentRow, 'collection'>,
  { allowed, collections = [] }: SpaceRights & { readonly allowed: boolean },
): boolean => allowed || collections.some(({ name }) => name === collection)

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

import type { AuditedAct } from '@youworker/contracts/audit/audit-entry'
import type { Request } from '@youworker/contracts/define'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import type { Caller } from './context.ts'

/** An attempt to reach something by an id that is not the caller's, in the terms of the audit trail. */
export type Denial = AuditedAct

/** What a code says is not there, and the fields that name it. Tasks are missing: for each, one of two services says no. */
const TARGETS: Readonly<Partial<Record<ErrorCode, { readonly type: string; readonly fields: readonly string[] }>>> = {
  SESSION_NOT_FOUND: { type: 'session', fields: ['session_id'] },
  BRANCH_NOT_FOUND: { type: 'branch', fields: ['branch', 'active_branch'] },
  MESSAGE_NOT_FOUND: { type: 'message', fields: ['message_id'] },
  RUN_NOT_FOUND: { type: 'run', fields: ['run_id'] },
  DOCUMENT_NOT_FOUND: { type: 'document', fields: ['document_id'] },
  BLOB_NOT_FOUND: { type: 'blob', fields: ['blob_id'] },
  GROUP_NOT_FOUND: { type: 'group', fields: ['group_id', 'space_id'] },
}
/** Other references, like the `external_id` of a session, are looked up among the caller's own and are text. */
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Ids that do not exist count as well: the service itself does not know the difference. */
export function denialOf({ subject }: Request, input: unknown, caller: Caller, error: unknown): Denial | undefined {
  const target = error instanceof AppError ? TARGETS[error.code] : undefined
  if (!target || typeof input !== 'object' || input === null) return undefined
  const ids = Object.entries(input).flatMap(([name, value]) =>
    target.fields.includes(name) && typeof value === 'string' && ID.test(value) ? [value] : [],
  )
  if (ids[0] === undefined) return undefined
  const action = subject.replace(/^.*\.v\d+\./, '')
  return { actor_id: caller.user_id, action, outcome: 'denied', target_type: target.type, target_id: ids[0] }
}

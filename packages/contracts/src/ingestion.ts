import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { CursorPage, Id, Status, Task, TaskList } from './common.ts'
import { event, request } from './define.ts'
import { DocumentId, documents } from './documents/documents.ts'
import { RunId, runs } from './documents/runs.ts'
import { searches } from './documents/search.ts'
import { uploads } from './documents/uploads.ts'

const Count = z.number().int().min(0)
const TaskId = z.object({ task_id: Id })

export const ingestion = {
  ...uploads,
  ...runs,
  ...documents,
  ...searches,
  listTasks: request('rpc.ingestion.v1.task.list', { input: CursorPage, output: TaskList, repeatable: true }),
  getTask: request('rpc.ingestion.v1.task.get', { input: TaskId, output: Task, errors: ['TASK_NOT_FOUND'], repeatable: true }),
  cancelTask: request('rpc.ingestion.v1.task.cancel', {
    input: TaskId,
    output: Task,
    errors: ['TASK_NOT_FOUND'],
    repeatable: true,
  }),
  runFinished: event(
    'events.ingestion.v1.run.finished',
    'The ingestion of uploaded files has ended, however.',
    RunId.extend({
      user_id: Id,
      space_id: Id,
      status: Status,
      files: Count,
      chunks: Count,
      total_bytes: Count,
      duration_ms: Count,
    }),
  ),
  documentIngested: event(
    'events.ingestion.v1.document.ingested',
    'A document or a new version of it can be found. `replaced`: an earlier version made way.',
    DocumentId.extend({ user_id: Id, space_id: Id, bytes_size: Count, chunks: Count, replaced: z.boolean() }),
  ),
  documentDeleted: event(
    'events.ingestion.v1.document.deleted',
    'A document was erased, by itself or with its group.',
    DocumentId.extend({ user_id: Id, space_id: Id }),
  ),
  auditRecorded: event('events.ingestion.v1.audit.recorded', 'A privileged act at ingestion was allowed or denied.', AuditEntry),
} as const

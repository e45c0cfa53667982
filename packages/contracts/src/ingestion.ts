import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { CursorPage, Id, Status, Task, TaskList } from './common.ts'
import { event, request } from './define.ts'
import { collectionAccess } from './documents/collection-access.ts'
import { documents } from './documents/documents.ts'
import { explanations } from './documents/explain.ts'
import { indexChecks } from './documents/index-check.ts'
import { indexGenerations } from './documents/index-generations.ts'
import { labels } from './documents/labels.ts'
import { previews } from './documents/previews.ts'
import { RunId, runs } from './documents/runs.ts'
import { searches } from './documents/search.ts'
import { sources } from './documents/sources.ts'
import { storedFiles } from './documents/stored-files.ts'
import { vectorStores } from './documents/vector-stores.ts'
import { uploads } from './documents/uploads.ts'

const Count = z.number().int().min(0)
const TaskId = z.object({ task_id: Id })

export const ingestion = {
  ...uploads,
  ...runs,
  ...sources,
  ...documents,
  ...previews,
  ...searches,
  ...explanations,
  ...indexChecks,
  ...indexGenerations,
  ...labels,
  ...storedFiles,
  ...collectionAccess,
  ...vectorStores,
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
    'The ingestion of files has ended, however.',
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
  auditRecorded: event('events.ingestion.v1.audit.recorded', 'A privileged act at ingestion was allowed or denied.', AuditEntry),
} as const

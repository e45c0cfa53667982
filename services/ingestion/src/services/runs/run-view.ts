import { TERMINAL, type Task } from '@youworker/contracts/common'
import type { IngestionRun, FileTimeline, IngestionRunSummary, RunFile } from '@youworker/contracts/documents/runs'
import type { RunFileRow } from '@youworker/database/owners/ingestion/tables'
import type { JobRow } from '@youworker/database/jobs/jobs'
import { cutText } from '@youworker/runtime/text/text'
import type { z } from 'zod'
import { LABELS_KIND } from '../labels/label-service.ts'
import type { RunTotals, RunView } from '../../repositories/run-repository.ts'

type RunSummary = z.infer<typeof IngestionRunSummary>

const MAX_ERROR = 500

export function runSummary(run: RunView, totals: RunTotals | undefined): RunSummary {
  const { id, status, tags, collection, group_id, is_private, attempt, created_at, started_at, finished_at } = run
  const { paused, heartbeat_at } = run
  const { files = 0, files_done = 0, chunks = 0, total_bytes = 0, percent = 0, errors = [] } = totals ?? {}
  return {
    id,
    status,
    percent: TERMINAL.includes(status) ? 100 : Math.round(percent * 10) / 10,
    totals: { files, chunks, total_bytes },
    files_processed: files_done,
    chunks_written: chunks,
    tags,
    collection,
    group_id,
    is_private,
    // The run's own error comes last: it is the cause of the files' ends.
    errors: [...errors, ...(run.error === null ? [] : [run.error])].map((error) => cutText(error, MAX_ERROR)),
    attempt,
    paused,
    heartbeat_at,
    created_at,
    started_at,
    finished_at,
  }
}

export function runDetail(run: RunView, totals: RunTotals | undefined, files: readonly RunFileRow[]): IngestionRun {
  return { ...runSummary(run, totals), files: files.map(fileView) }
}

function fileView(file: RunFileRow): RunFile {
  const { path, uri, mime, size_bytes, chunks, document_id, status, stage, percent, error } = file
  const view = { path, uri, mime, size_bytes, bytes_size: size_bytes, chunks, document_id, status, stage, percent }
  return error === null ? view : { ...view, error: cutText(error, MAX_ERROR) }
}

/** The last entries tell most, and those of a whole run must fit into one reply. */
const MOST_ENTRIES = 12

export function timelineView({ path, document_id, status, timeline }: RunFileRow): z.infer<typeof FileTimeline> {
  const entries = timeline.slice(-MOST_ENTRIES).map((entry) => {
    return entry.error === undefined ? entry : { ...entry, error: cutText(entry.error, MAX_ERROR) }
  })
  return { path, document_id, status, entries }
}

export function taskView(job: JobRow, totals: RunTotals | undefined): Task {
  const { id, progress_current: current, progress_total: total, attempt: attempts, created_at, updated_at } = job
  // Of one whose worker is gone the next one is awaited.
  const isAbandoned = job.status === 'running' && Date.parse(job.lease_until ?? '') < Date.now()
  const state = isAbandoned ? 'pending' : job.status
  const type = job.kind === LABELS_KIND ? 'labels' : 'ingestion'
  const task = { id, type, state, progress: { current, total }, attempts, created_at, updated_at }
  const result =
    totals && TERMINAL.includes(state) ? { result: { files_processed: totals.files_done, chunks_written: totals.chunks } } : {}
  const error = job.error ?? totals?.errors[0]
  return { ...task, ...result, ...(error === undefined ? {} : { error: cutText(error, MAX_ERROR) }) }
}

import { type Status, TERMINAL } from '@youworker/contracts/common'
import { ingestion } from '@youworker/contracts/ingestion'
import type { JobEnded } from '@youworker/database/jobs/jobs'
import type { RunTotals, RunView } from '../../repositories/run-repository.ts'
import type { IngestionRepositories } from '../../unit-of-work.ts'

interface Ending {
  readonly run: RunView
  readonly attempt: number
  readonly cancelled?: boolean
  /** The error of the run and of the files that have not ended. */
  readonly reason?: string
}

/** Ends a run for the worker that owns it: files, job and event in the caller's transaction. */
export async function finishRun(
  repos: IngestionRepositories,
  { run, attempt, cancelled = false, reason }: Ending,
): Promise<JobEnded> {
  await repos.runs.closeFiles(run.id, { status: cancelled ? 'cancelled' : 'failed', error: cancelled ? null : (reason ?? null) })
  const totals = (await repos.runs.totals([run.id])).get(run.id)
  const status = cancelled ? 'cancelled' : statusOf(totals)
  await repos.jobs.progress(run.id, attempt, { current: totals?.files ?? 0, total: totals?.files ?? 0, stage: 'done' })
  const ended = await repos.jobs.finish(run.id, attempt, { status, error: reason })
  announce(repos, run, status, totals)
  return ended
}

/** Asks a run to end: a waiting one is cancelled in the caller's transaction, a working one by its worker within 2 s. */
export async function requestCancel(repos: IngestionRepositories, before: RunView): Promise<void> {
  if (TERMINAL.includes(before.status)) return
  const job = await repos.jobs.requestCancel(before.id)
  if (job?.status !== 'cancelled') return
  await repos.runs.closeFiles(before.id, { status: 'cancelled', error: null })
  announce(repos, before, 'cancelled', (await repos.runs.totals([before.id])).get(before.id))
}

function statusOf(totals: RunTotals | undefined): 'success' | 'partial' | 'failed' {
  const { files = 0, files_done = 0 } = totals ?? {}
  if (files_done === files) return 'success'
  return files_done === 0 ? 'failed' : 'partial'
}

function announce({ outbox }: IngestionRepositories, run: RunView, status: Status, totals: RunTotals | undefined): void {
  const { files = 0, chunks = 0, total_bytes = 0 } = totals ?? {}
  const duration_ms = run.started_at === null ? 0 : Math.max(0, Date.now() - Date.parse(run.started_at))
  const { id: run_id, user_id, target_space_id: space_id } = run
  outbox.add(ingestion.runFinished, { run_id, user_id, space_id, status, files, chunks, total_bytes, duration_ms })
}

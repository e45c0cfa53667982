import type { SpaceRights } from '../space-access.ts'
import type { TimelineEntry, Step } from '@youworker/contracts/documents/runs'
import type { BlobRow, RunFileRow } from '@youworker/database/owners/ingestion/tables'
import type { RunView } from '../../repositories/run-repository.ts'
import type { Scope } from '@youworker/database/unit-of-work'
import type { IngestionRepositories } from '../../unit-of-work.ts'
import type { FencedWrite } from '../search/embedding-service.ts'

/** One attempt at a run. `write` throws when another attempt has taken the run over. */
export interface Attempt {
  readonly run: RunView
  readonly number: number
  readonly signal: AbortSignal
  /** Sees what the run may see. */
  readonly read: Scope<IngestionRepositories>['read']
  readonly write: FencedWrite
  /** The rights in the group that the run writes to, now. Throws when its user may not write there any more. */
  requireAccess(): Promise<SpaceRights>
}

/** A file with its stored bytes. */
export interface StoredFile {
  readonly file: RunFileRow
  readonly blob: BlobRow
}

/** An entry of the flight recorder: `step` began at `started` (of `performance.now()`) and ended now. */
export function entry(
  step: Step,
  attempt: number,
  started: number,
  more: Pick<TimelineEntry, 'error' | 'note'> = {},
): TimelineEntry {
  const duration_ms = Math.max(0, Math.round(performance.now() - started))
  return { step, at: new Date().toISOString(), duration_ms, attempt, ...more }
}

import { TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { IngestionRun } from '@youworker/contracts/ingestion'
import type { Deps } from '../http/deps.ts'
import type { RequestContext } from '../http/request-context.ts'

const ASK_MS = 1_000

interface WatchOptions {
  readonly context: RequestContext
  readonly deps: Pick<Deps, 'authenticator' | 'ingestion' | 'finishes'>
  readonly signal: AbortSignal
  readonly onChange?: (run: IngestionRun) => void
}

/** The run when it has ended, or as it was when the signal aborted. A service that is away for a moment is asked again. */
export async function watchIngestionRun(
  run_id: string,
  { context, deps, signal, onChange }: WatchOptions,
): Promise<IngestionRun | undefined> {
  let seen = ''
  let run: IngestionRun | undefined
  while (!signal.aborted) {
    try {
      run = await ask(run_id, context, deps)
      const state = JSON.stringify(run)
      if (state !== seen) onChange?.(run)
      seen = state
      if (TERMINAL.includes(run.status)) return run
    } catch (error) {
      if (run === undefined || !(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
    }
    await deps.finishes.wait(run_id, ASK_MS, signal)
  }
  return run
}

async function ask(
  run_id: string,
  context: RequestContext,
  { authenticator, ingestion }: WatchOptions['deps'],
): Promise<IngestionRun> {
  const identity = context.identity && (await authenticator.renew(context.identity))
  return ingestion.as(context.scopeOf(identity)).getRun({ run_id })
}

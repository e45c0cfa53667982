import { TERMINAL } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { IngestionRun } from '@youworker/contracts/documents/runs'
import type { Clients } from '../clients.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { RunFinishes } from './run-finishes.ts'

const POLL_MS = 1_000

interface Deps extends Pick<Clients, 'ingestion'> {
  readonly authenticator: Authenticator
  readonly finishes: RunFinishes
}

interface WatchOptions {
  readonly signal: AbortSignal
  readonly onChange?: (run: IngestionRun) => void
}

/** Follows ingestion runs for callers who wait for them. */
export class IngestionWatcher {
  readonly #deps: Deps

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /**
   * Resolves with the run when it has ended, or as last seen when the signal aborts. Once the run was seen, an unavailable
   * service is asked again.
   */
  async watch(run_id: string, context: RequestContext, { signal, onChange }: WatchOptions): Promise<IngestionRun | undefined> {
    const { authenticator, finishes, ingestion } = this.#deps
    let seen = ''
    let run: IngestionRun | undefined
    while (!signal.aborted) {
      try {
        run = await ingestion.as(await context.renewedScope(authenticator)).getRun({ run_id })
        const state = JSON.stringify(run)
        if (state !== seen) onChange?.(run)
        seen = state
        if (TERMINAL.includes(run.status)) return run
      } catch (error) {
        if (run === undefined || !(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
      }
      await finishes.wait(run_id, POLL_MS, signal)
    }
    return run
  }
}

import type { Done } from '@youworker/contracts/agent/run-log'
import { AppError, ERROR_STATUS, errorBody } from '@youworker/contracts/errors'
import type { Clients } from '../clients.ts'
import { Reply } from '../http/answers/reply.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { FramesOf, RunStreams, StartRun, WholeRun } from '../streams/run-streams.ts'

export type ProtocolDeps = Pick<Clients, 'chatAgent'> & { readonly runStreams: RunStreams }

interface Protocol {
  /** Of one entry of the run's log, in the protocol's frames; empty when it has none for it. */
  readonly framesOf: FramesOf
  /** Throws when the run failed. */
  readonly bodyOf: (whole: WholeRun, runId: string) => unknown
}

/** How long clients of these protocols wait for a whole answer. */
export const WHOLE_MS = 10 * 60_000
/** Not to be sent again: the run that it began would begin anew. */
const NO_RETRY = { 'x-should-retry': 'false' }

/** Starts a run and answers with it, as a stream or whole. */
export async function answerRun(
  start: StartRun,
  isStream: boolean,
  { framesOf, bodyOf }: Protocol,
  context: RequestContext,
  { runStreams }: Pick<ProtocolDeps, 'runStreams'>,
): Promise<Reply> {
  if (isStream) return runStreams.streamNew(context, start, { framesOf })
  const waitMs = () => {
    context.deadline.lift()
    return WHOLE_MS
  }
  const { started, whole } = await runStreams.wholeNew(context, waitMs, start)
  const { run_id } = started
  try {
    if (!whole)
      throw new AppError('DEADLINE_EXCEEDED', `The run goes on: GET /v1/runs/${run_id} has its answer when it has ended`)
    return new Reply(200, bodyOf(whole, run_id))
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return new Reply(ERROR_STATUS[error.code], errorBody(error, context.correlationId), NO_RETRY)
  }
}

/** The error of a run that failed. */
export const failureOf = ({ metadata: { error } }: Done): AppError => new AppError('LLM_ERROR', error ?? 'The run failed.')

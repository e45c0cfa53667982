import { chatAgent } from '@youworker/contracts/chat-agent'
import { type Done } from '@youworker/contracts/run-log'
import { type Status, TERMINAL } from '@youworker/contracts/common'
import type { FinalStatus } from '@youworker/database/jobs/jobs'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { withinBytes } from '../clip.ts'
import { sealContext, unsealTitle } from '../sealed-fields.ts'
import type { RunState } from './run-state.ts'
import { sinceMs } from './since-ms.ts'

export interface Outcome {
  readonly status: Done['metadata']['status']
  /** Shown to people: what went wrong and what to do. */
  readonly error?: string | undefined
  /** Written under the answer. */
  readonly notice?: string | undefined
}

const STATUS: Readonly<Record<Outcome['status'], FinalStatus>> = {
  success: 'success',
  partial: 'partial',
  max_iterations: 'partial',
  stopped: 'cancelled',
  error: 'failed',
}

/** Bytes of JSON: `done` must fit into one reply together with 96 Ki units of text. */
const DONE_BYTES = { tool_events: 96 * 1024, logs: 16 * 1024, citations: 64 * 1024 }

/** Ends a run in one transaction: exactly one `done`, the answer as a message, the state of the job, and the events. */
export class RunFinisher {
  readonly #uow: ChatAgentUnitOfWork

  constructor(uow: ChatAgentUnitOfWork) {
    this.#uow = uow
  }

  /** For the worker that owns the run. */
  finish(state: RunState, outcome: Outcome): Promise<void> {
    return this.#end(state, outcome, async ({ jobs }) => {
      // Fences too: it throws unless the job still runs under this attempt.
      await jobs.finish(state.run.id, state.attempt, { status: STATUS[outcome.status], error: outcome.error })
      return true
    })
  }

  /** For a run whose job ended without an owner, as when it was cancelled in the queue. Does nothing when the run has ended. */
  finishEnded(state: RunState, outcome: Outcome): Promise<void> {
    return this.#end(state, outcome, async ({ jobs, runs }) => {
      const job = await jobs.get(state.run.id)
      const run = await runs.find(state.run.id)
      return run !== undefined && !TERMINAL.includes(run.status) && job !== undefined && TERMINAL.includes(job.status)
    })
  }

  async #end(state: RunState, outcome: Outcome, claim: (repositories: ChatAgentRepositories) => Promise<boolean>): Promise<void> {
    const { run, space, log } = state
    await log.flush()
    const notice = outcome.notice ?? ''
    const ending = log.text === '' ? notice.trimStart() : notice
    const content = log.text + ending
    const entries = await this.#uow.in([run.space_id]).write(async (repositories) => {
      const session = await repositories.sessions.lock(run.user_id, run.session_id)
      if (!session || !(await claim(repositories))) return []
      const data = doneOf(state, content, outcome, { external_id: session.external_id, title: unsealTitle(space, session) })
      const written = log.sealEnd(ending, data)
      const answerId = content === '' ? undefined : newId()
      const status = STATUS[outcome.status]
      // Sent together: none needs what another returns.
      await Promise.all([
        state.lastStep && repositories.runs.addStep(state.lastStep),
        repositories.runs.addUnfinishedCalls(state.modelCalls.unstored),
        repositories.runs.end(run.id, {
          status,
          error: outcome.error ?? null,
          model: state.model || run.model,
          ...state.modelCalls.usage,
        }),
        repositories.entries.add(written.map(({ row }) => row)),
        repositories.toolRuns.endRunning(run.id, (id) =>
          space.sealText('The run ended before it had a result.', sealContext.error(id)),
        ),
        answerId && addAnswer(repositories, state, { id: answerId, text: content }),
      ])
      addEvents(repositories, state, { answerId, status, duration_ms: data.metadata.duration_ms })
      return written
    })
    for (const { entry } of entries) log.publish(entry)
  }
}

function doneOf(
  { run, book, log, iterations, toolCalls, model, modelCalls }: RunState,
  content: string,
  { status, error }: Outcome,
  session: { external_id: string; title: string | null },
): Done {
  return {
    content,
    citations: withinBytes(book.citedIn(content), DONE_BYTES.citations),
    metadata: {
      iterations,
      tool_calls: toolCalls,
      status,
      session_id: run.session_id,
      session_external_id: session.external_id,
      session_title: session.title,
      model,
      ...modelCalls.usage,
      ...(modelCalls.isEstimated ? { tokens_estimated: true } : {}),
      duration_ms: sinceMs(run.created_at),
      ...(error === undefined ? {} : { error }),
    },
    tool_events: withinBytes(log.toolEvents, DONE_BYTES.tool_events),
    logs: withinBytes(log.logs, DONE_BYTES.logs),
  }
}

async function addAnswer(
  { messages, sessions }: ChatAgentRepositories,
  { run, space, modelCalls }: RunState,
  { id, text }: { readonly id: string; readonly text: string },
): Promise<void> {
  const content = space.sealText(text, sealContext.message(id))
  const { session_id, space_id, turn } = run
  const { tokens_in, tokens_out } = modelCalls.usage
  const message = { id, session_id, space_id, run_id: run.id, turn, role: 'assistant', content, tokens_in, tokens_out } as const
  await Promise.all([messages.add([message]), sessions.countMessage(session_id)])
}

interface End {
  readonly answerId: string | undefined
  readonly status: Status
  readonly duration_ms: number
}

function addEvents({ outbox }: ChatAgentRepositories, state: RunState, { answerId, status, duration_ms }: End): void {
  const { user_id, session_id, grant_id } = state.run
  const { tokens_in, tokens_out } = state.modelCalls.usage
  const model = state.model || null
  if (answerId !== undefined) {
    outbox.add(chatAgent.messageCreated, {
      message_id: answerId,
      session_id,
      user_id,
      role: 'assistant',
      model,
      tokens_in,
      tokens_out,
    })
  }
  outbox.add(chatAgent.runFinished, {
    run_id: state.run.id,
    user_id,
    session_id,
    grant_id,
    status,
    answer_id: answerId ?? null,
    model,
    tokens_in,
    tokens_out,
    duration_ms,
  })
}

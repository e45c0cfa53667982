import { chatAgent } from '@youworker/contracts/chat-agent'
import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import { type Status, TERMINAL } from '@youworker/contracts/common'
import type { FinalStatus, JobEnded } from '@youworker/database/jobs/jobs'
import type { EntryRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { bytesOf, withinBytes } from '../clip.ts'
import { sealContext, unsealTitle } from '../sealed-fields.ts'
import type { ModelToolCall } from '../models/model-port.ts'
import type { RunState } from './run-state.ts'
import { addSummaryJob, needsSummary } from '../summaries/summary-job.ts'
import { sinceMs } from '../since-ms.ts'

export interface Outcome {
  readonly status: Done['metadata']['status']
  /** Shown to people: what went wrong and what to do. */
  readonly error?: string | undefined
  /** Of tools that the client runs. */
  readonly client_calls?: readonly ModelToolCall[] | undefined
  /** Written under the answer. */
  readonly notice?: string | undefined
}

/** Keeps answers for those who ask the same again, in the transaction that ends a run. */
interface AnswerKeeper {
  keep(repositories: ChatAgentRepositories, state: RunState, outcome: Outcome, done: Done): Promise<void>
}

/** What comes of a run besides its answer. */
interface Also {
  readonly cache: AnswerKeeper
  readonly titles: 'model' | 'words'
}

/** The `kind` of a job that gives a session its title. */
export const TITLE_KIND = 'title'

const STATUS: Readonly<Record<Outcome['status'], FinalStatus>> = {
  success: 'success',
  partial: 'partial',
  max_iterations: 'partial',
  stopped: 'cancelled',
  error: 'failed',
}

/** Bytes of JSON: `done` must fit into one reply together with 96 Ki units of text. */
const DONE_BYTES = { tool_events: 96 * 1024, logs: 16 * 1024, citations: 64 * 1024 }
/** Bytes of JSON. They take the place of tool events, as a spoken question does. */
export const CLIENT_CALLS_BYTES = 128 * 1024

/** Ends a run in one transaction: exactly one `done`, the answer as a message, the state of the job, and the events. */
export class RunFinisher {
  readonly #uow: ChatAgentUnitOfWork
  readonly #also: Also

  constructor(uow: ChatAgentUnitOfWork, also: Also) {
    this.#uow = uow
    this.#also = also
  }

  /** For the worker that owns the run. */
  finish(state: RunState, outcome: Outcome): Promise<JobEnded> {
    return this.#end(state, outcome, async ({ jobs }, nextMessage) => {
      const end = { status: STATUS[outcome.status], error: outcome.error }
      // Sent together. The second fences: it throws unless the job still runs under this attempt.
      const [session, ended] = await Promise.all([nextMessage(), jobs.finish(state.run.id, state.attempt, end)])
      return { session, result: ended }
    })
  }

  /** For a run whose job ended without an owner, as when it was cancelled in the queue. Does nothing when the run has ended. */
  finishEnded(state: RunState, outcome: Outcome): Promise<void> {
    const { id, user_id, session_id } = state.run
    return this.#end(state, outcome, async ({ sessions, jobs, runs }, nextMessage) => {
      await sessions.lock(user_id, session_id)
      const job = await jobs.get(id)
      const run = await runs.find(id)
      const isOpen = run !== undefined && !TERMINAL.includes(run.status) && job !== undefined && TERMINAL.includes(job.status)
      return { session: isOpen ? await nextMessage() : undefined, result: undefined }
    })
  }

  async #end<T>(state: RunState, outcome: Outcome, claim: Claim<T>): Promise<T> {
    const { run, log } = state
    const notice = outcome.notice ?? ''
    const ending = log.text === '' ? notice.trimStart() : notice
    const content = log.text + ending
    const { entries, result } = await log.storeWith((unstored) =>
      this.#uow.in([run.space_id]).write(async (repositories) => {
        const { sessions } = repositories
        const claimed = await claim(repositories, () =>
          content === '' ? sessions.lock(run.user_id, run.session_id) : sessions.countMessages(run.session_id, 1),
        )
        if (claimed.session === undefined) return { entries: [], result: claimed.result }
        const ended = { outcome, content, ending, unstored, session: claimed.session }
        const written = await writeEnd(repositories, state, ended, this.#also)
        return { entries: written, result: claimed.result }
      }),
    )
    for (const entry of entries) log.publish(entry)
    return result
  }
}

/** Locks the session until the transaction ends, before the job and the run. Without a `session` nothing is written. */
type Claim<T> = (
  repositories: ChatAgentRepositories,
  nextMessage: () => Promise<SessionRow | undefined>,
) => Promise<{ readonly session: SessionRow | undefined; readonly result: T }>

interface Ending {
  readonly outcome: Outcome
  readonly content: string
  /** Text that the log does not have yet. */
  readonly ending: string
  readonly unstored: readonly EntryRow[]
  readonly session: SessionRow
}

/** Returns the entries that are to be published. */
async function writeEnd(
  repositories: ChatAgentRepositories,
  state: RunState,
  { outcome, content, ending, unstored, session }: Ending,
  { cache, titles }: Also,
): Promise<RunEntry[]> {
  const { run, space, log } = state
  const { runs, entries, toolRuns, outbox } = repositories
  const data = doneOf(state, content, outcome, { external_id: session.external_id, title: unsealTitle(space, session) })
  const last = log.sealEnd(ending, data)
  const answerId = content === '' ? undefined : newId()
  const status = STATUS[outcome.status]
  addEvents(repositories, state, { answerId, status, duration_ms: data.metadata.duration_ms })
  const end = { status, error: outcome.error ?? null, model: state.model || run.model, ...state.modelCalls.usage }
  const unknown = 'The run ended before it had a result.'
  // Sent together: none needs what another returns.
  await Promise.all([
    state.lastStep && runs.addStep(state.lastStep),
    runs.addUnfinishedCalls(state.modelCalls.unstored),
    runs.end(run.id, end),
    entries.add([...unstored, ...last.map(({ row }) => row)]),
    state.toolCalls > 0 && toolRuns.endRunning(run.id, (id) => space.sealText(unknown, sealContext.error(id))),
    needsSummary(state) && addSummaryJob(repositories, state),
    titles === 'model' && wantsTitle(state, { session, status, content }) && repositories.jobs.add(titleJob(state)),
    answerId && addAnswer(repositories, state, { id: answerId, text: content }),
    outbox.write(),
    state.cacheKey && session.deleted_at === null && cache.keep(repositories, state, outcome, data),
  ])
  return last.map(({ entry }) => entry)
}

/** The first answer of a session that nobody has named. Clients of other protocols often make one for each request and show no title. */
function wantsTitle(
  { settings, canTitle }: RunState,
  { session, status, content }: { readonly session: SessionRow; readonly status: Status; readonly content: string },
): boolean {
  const isAnswered = (status === 'success' || status === 'partial') && content !== ''
  return isAnswered && session.title_by === 'words' && canTitle && settings.append_only !== true
}

const titleJob = ({ run: { id: run_id, user_id, space_id, session_id } }: RunState) => {
  return { id: newId(), kind: TITLE_KIND, user_id, space_id, payload: { session_id, run_id }, queue_key: session_id }
}

function doneOf(
  { run, book, log, iterations, toolCalls, model, modelCalls, finish }: RunState,
  content: string,
  { status, error, client_calls }: Outcome,
  session: { external_id: string; title: string | null },
): Done {
  return {
    content,
    ...(log.spokenQuestion === undefined ? {} : { transcript: log.spokenQuestion }),
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
      ...(client_calls ? { finish_reason: 'tool_calls' } : finish === undefined ? {} : { finish_reason: finish }),
      ...(error === undefined ? {} : { error }),
    },
    ...(client_calls ? { client_calls: client_calls.map((call) => ({ id: `call_${newId()}`, ...call })) } : {}),
    tool_events: withinBytes(
      log.toolEvents,
      DONE_BYTES.tool_events - bytesOf(client_calls ?? '') - bytesOf(log.spokenQuestion ?? ''),
    ),
    logs: withinBytes(log.logs, DONE_BYTES.logs),
  }
}

async function addAnswer(
  { messages }: ChatAgentRepositories,
  { run, space, modelCalls }: RunState,
  { id, text }: { readonly id: string; readonly text: string },
): Promise<void> {
  const content = space.sealText(text, sealContext.message(id))
  const { session_id, space_id, turn, branch } = run
  const { tokens_in, tokens_out } = modelCalls.usage
  const place = { session_id, space_id, run_id: run.id, turn, branch }
  await messages.add([{ id, ...place, role: 'assistant', content, tokens_in, tokens_out }])
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

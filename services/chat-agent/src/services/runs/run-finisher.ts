import { chatAgent } from '@youworker/contracts/chat-agent'
import { type Done } from '@youworker/contracts/run-log'
import { type Status, TERMINAL } from '@youworker/contracts/common'
import type { FinalStatus } from '@youworker/database/jobs/jobs'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { withinBytes } from '../clip.ts'
import type { OpenRun } from './open-run.ts'
import { openTitle, place } from '../sealed-fields.ts'

export interface Outcome {
  readonly status: Done['metadata']['status']
  /** For people: what went wrong and what to do. */
  readonly error?: string | undefined
}

const STATUS: Readonly<Record<Outcome['status'], FinalStatus>> = {
  success: 'success',
  max_iterations: 'partial',
  stopped: 'cancelled',
  error: 'failed',
}

/** `done` has to fit into one reply together with 96 Ki units of text. */
const ROOM = { tool_events: 96 * 1024, logs: 16 * 1024, citations: 64 * 1024 }

/** Writes the end of a run: exactly one `done`, the answer as a message, the job's state and the events, in one transaction. */
export class RunFinisher {
  readonly #uow: ChatAgentUnitOfWork

  constructor(uow: ChatAgentUnitOfWork) {
    this.#uow = uow
  }

  /** By the owner of the attempt. */
  finish(open: OpenRun, outcome: Outcome): Promise<void> {
    return this.#end(open, outcome, async ({ jobs }) => {
      await jobs.fence(open.id, open.attempt)
      await jobs.finish(open.id, open.attempt, { status: STATUS[outcome.status], error: outcome.error })
      return true
    })
  }

  /** Of a run whose job has ended without an owner, as when it was cancelled in the queue. Does nothing when another did it. */
  finishEnded(open: OpenRun, outcome: Outcome): Promise<void> {
    return this.#end(open, outcome, async ({ jobs, runs }) => {
      const job = await jobs.get(open.id)
      const run = await runs.find(open.id)
      return run !== undefined && !TERMINAL.includes(run.status) && job !== undefined && TERMINAL.includes(job.status)
    })
  }

  async #end(open: OpenRun, outcome: Outcome, claim: (repositories: ChatAgentRepositories) => Promise<boolean>): Promise<void> {
    const { run } = open.record
    await open.flush()
    const entries = await this.#uow.in([run.space_id]).write(async (repositories) => {
      const session = await repositories.sessions.lock(run.user_id, run.session_id)
      if (!session || !(await claim(repositories))) return []
      const data = doneOf(open, outcome, { external_id: session.external_id, title: openTitle(open.record.space, session) })
      const written = open.sealLast(data)
      if (open.lastStep) await repositories.runs.addStep(open.lastStep)
      await repositories.runs.end(run.id, {
        status: STATUS[outcome.status],
        error: outcome.error ?? null,
        model: open.model || run.model,
        tokens_in: open.tokens_in,
        tokens_out: open.tokens_out,
        ttft_ms: open.ttft_ms,
      })
      await repositories.entries.add(written.map(({ row }) => row))
      await repositories.toolRuns.endOpen(run.id, (id) =>
        open.record.space.sealText('The run ended before it had a result.', place.error(id)),
      )
      const answerId = await addAnswer(repositories, open)
      await addEvents(repositories, open, { answerId, status: STATUS[outcome.status], duration_ms: data.metadata.duration_ms })
      return written
    })
    for (const { entry } of entries) open.show(entry)
  }
}

function doneOf(open: OpenRun, { status, error }: Outcome, session: { external_id: string; title: string | null }): Done {
  const { run, book } = open.record
  return {
    content: open.text,
    citations: withinBytes(book.citedIn(open.text), ROOM.citations),
    metadata: {
      iterations: open.iterations,
      tool_calls: open.toolCalls,
      status,
      session_id: run.session_id,
      session_external_id: session.external_id,
      session_title: session.title,
      model: open.model,
      tokens_in: open.tokens_in,
      tokens_out: open.tokens_out,
      ttft_ms: open.ttft_ms,
      duration_ms: sinceMs(run.created_at),
      ...(error === undefined ? {} : { error }),
    },
    tool_events: withinBytes(open.tool_events, ROOM.tool_events),
    logs: withinBytes(open.logs, ROOM.logs),
  }
}

/** Id of the message; nothing was said, nothing is added. */
async function addAnswer({ messages, sessions }: ChatAgentRepositories, open: OpenRun): Promise<string | undefined> {
  const { run, space } = open.record
  if (open.text === '') return undefined
  const id = newId()
  const content = space.sealText(open.text, place.message(id))
  const { session_id, space_id, turn } = run
  const { tokens_in, tokens_out } = open
  await messages.add([{ id, session_id, space_id, run_id: run.id, turn, role: 'assistant', content, tokens_in, tokens_out }])
  await sessions.countMessage(session_id)
  return id
}

interface End {
  readonly answerId: string | undefined
  readonly status: Status
  readonly duration_ms: number
}

async function addEvents(
  { outbox }: ChatAgentRepositories,
  open: OpenRun,
  { answerId, status, duration_ms }: End,
): Promise<void> {
  const { user_id, session_id, grant_id } = open.record.run
  const { tokens_in, tokens_out } = open
  const model = open.model || null
  if (answerId !== undefined) {
    await outbox.add(chatAgent.messageCreated, {
      message_id: answerId,
      session_id,
      user_id,
      role: 'assistant',
      model,
      tokens_in,
      tokens_out,
    })
  }
  await outbox.add(chatAgent.runFinished, {
    run_id: open.id,
    user_id,
    session_id,
    grant_id,
    status,
    tokens_in,
    tokens_out,
    duration_ms,
  })
}

export const sinceMs = (time: string): number => Math.max(0, Date.now() - Date.parse(time))

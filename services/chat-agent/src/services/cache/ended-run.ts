import type { Done, RunEntry, RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { RunRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { activeEnd } from '../branches/path-end.ts'
import type { KnownGroup } from '../sessions/session-group.ts'
import { spokenText, type Plan } from '../turns/plan.ts'
import { conversationOf, HISTORY, shownTurns, unnumbered } from '../runs/load-run.ts'
import type { RunSettings, StoredTurn } from '../runs/run-settings.ts'
import { entryNumber } from '../runs/transcript.ts'
import { unsealTitle } from '../sealed-fields.ts'
import type { AnswerCache, CachedAnswer } from './answer-cache.ts'
import type { Asked } from './cache-key.ts'

type NewRun = Asked['run'] & Pick<RunRow, 'id' | 'user_id' | 'sid' | 'session_id' | 'grant_id' | 'turn' | 'branch'>

/** What a turn needs to know of its session. */
export type SessionOfTurn = Pick<
  SessionRow,
  | 'id'
  | 'space_id'
  | 'external_id'
  | 'title'
  | 'model'
  | 'enable_tools'
  | 'tools_pinned'
  | 'group_id'
  | 'instructions'
  | 'turn'
  | 'branch'
>

/** A run that would begin now, before it is stored. */
export interface Beginning extends Pick<Plan, 'input' | 'turns' | 'conversation'> {
  readonly space: SpaceSealer
  readonly session: SessionOfTurn
  /** Runs of the session that come first. */
  readonly ahead: number
  readonly run: NewRun
  readonly settings: RunSettings
  readonly group?: KnownGroup | undefined
}

export interface Wanted {
  readonly cache?: boolean | null | undefined
  readonly client_tools?: readonly unknown[] | undefined
}

/** Undoes a start that found no answer. */
class NotCached extends Error {
  override readonly name = 'NotCached'
}

/** Starts a run that ends at once, if its answer was given before. Tools of the client make an answer that is not ours alone. */
export async function startCached<T>(
  cache: AnswerCache,
  { cache: isWanted, client_tools = [] }: Wanted,
  start: () => Promise<T | undefined>,
): Promise<T | undefined> {
  if (!isWanted || client_tools.length > 0 || !(await cache.isReady())) return undefined
  return start().catch((error: unknown) => {
    if (error instanceof NotCached) return undefined
    throw error
  })
}

/** What is stored of a run whose answer was given before. Throws what undoes its start when there is no such answer. */
export async function endOf(repositories: ChatAgentRepositories, cache: AnswerCache, beginning: Beginning) {
  // What the runs before it will answer is part of its question.
  const answer = beginning.ahead > 0 ? undefined : await findAnswer(repositories, cache, beginning)
  if (answer) return endWith(answer, beginning)
  throw new NotCached()
}

export const findAnswer = async (repositories: ChatAgentRepositories, cache: AnswerCache, beginning: Beginning) =>
  cache.find(repositories, beginning.space, await askedOf(repositories, beginning))

async function askedOf(repositories: ChatAgentRepositories, beginning: Beginning): Promise<Asked> {
  const { run, settings, conversation } = beginning
  const group = beginning.group?.id === settings.group_id ? beginning.group : undefined
  const shown = conversation ?? (await turnsOf(repositories, beginning))
  const { begun: messages, ...asked } = conversationOf(settings, shown)
  return { run, messages, group, ...asked }
}

/** As the model will be shown them once they are stored. */
async function turnsOf({ messages }: ChatAgentRepositories, { space, session, turns }: Beginning): Promise<StoredTurn[]> {
  const added = turns.map(({ role, content }) => ({ role, content: role === 'assistant' ? unnumbered(content) : content }))
  if (session.turn === 1) return added
  const before = await messages.latest(activeEnd(session), HISTORY - added.length)
  if (before.some(({ role }) => role === 'summary')) throw new NotCached()
  return [...shownTurns(space, before), ...added]
}

/** The answer as that of this run. */
export function endWith(
  { content, citations, logs, model, finish_reason }: CachedAnswer,
  { space, session, input }: Pick<Beginning, 'space' | 'session' | 'input'>,
) {
  const message = { id: newId(), role: 'assistant' as const, content, model }
  const transcript = spokenText(input)
  const done: Done = {
    content,
    ...(transcript === undefined ? {} : { transcript }),
    citations,
    metadata: {
      iterations: 0,
      tool_calls: 0,
      status: 'success',
      session_id: session.id,
      session_external_id: session.external_id,
      session_title: unsealTitle(space, session),
      model,
      tokens_in: 0,
      tokens_out: 0,
      duration_ms: 0,
      ttft_ms: 0,
      ...(finish_reason ? { finish_reason } : {}),
      cached: true,
    },
    tool_events: [],
    logs,
  }
  const bodies: RunEntryBody[] = [
    ...logs.map((data) => ({ event: 'log', data }) as const),
    { event: 'token', data: { text: content } },
    { event: 'done', data: done },
  ]
  const entries = bodies.map((body, index): RunEntry => ({ n: entryNumber(1, index + 1), body }))
  const end = { status: 'success', attempt: 1, model, ttft_ms: 0 } as const
  return { run: end, message, entries }
}

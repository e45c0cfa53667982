import type { ConversationMessage } from '@youworker/contracts/agent/model'
import type { Done } from '@youworker/contracts/agent/run-log'
import { TERMINAL } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import type { RunRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { activeEnd } from '../branches/path-end.ts'
import { withoutImages } from '../models/vision.ts'
import { withinBytes } from '../clip.ts'
import { HISTORY, shownTurns, unnumbered } from '../runs/load-run.ts'
import { type StoredTurn, unsealSettings } from '../runs/run-settings.ts'
import { unsealEntry } from '../sealed-fields.ts'

/** Bytes of JSON that a run keeps of the conversation before it. */
const MOST_BYTES = 512 * 1024

interface Continuing {
  readonly user_id: string
  readonly space: SpaceSealer
  readonly previous_run_id?: string | undefined
  /** Ref of a session. */
  readonly session_id?: string | null | undefined
  /** What is added. */
  readonly conversation: readonly ConversationMessage[]
}

/**
 * The conversation of a run that goes on with another one. It is a copy: what becomes of the other run and its session later changes
 * nothing, and it has no images of earlier turns. `session`: where the new run belongs, a new one when undefined.
 */
export async function continuedConversation(
  repositories: ChatAgentRepositories,
  { conversation, ...from }: Continuing,
): Promise<{ readonly session: string | undefined; readonly conversation: readonly StoredTurn[] }> {
  const { before, session } =
    from.previous_run_id === undefined
      ? await behindSession(repositories, from)
      : await behindRun(repositories, { ...from, run_id: from.previous_run_id })
  return { session, conversation: withCallsResolved([...shownBefore(before, conversation), ...conversation]) }
}

type From = Omit<Continuing, 'conversation'>

async function behindSession(repositories: ChatAgentRepositories, { user_id, space, session_id }: From) {
  const session = await repositories.sessions.lock(user_id, session_id ?? '')
  if (!session) throw new AppError('SESSION_NOT_FOUND', 'There is no such session; leave it out to begin a new one')
  const end = activeEnd(session)
  const latest = await repositories.runs.latest(end)
  const before = latest
    ? await conversationAfter(repositories, space, latest)
    : shownTurns(space, await repositories.messages.latest(end, HISTORY))
  return { before, session: session.id }
}

/** A run that is not the last one of its session, or whose session was named by the client, is gone on from in a session of its own. */
async function behindRun(repositories: ChatAgentRepositories, { user_id, space, run_id }: From & { readonly run_id: string }) {
  const run = await repositories.runs.find(run_id)
  const { response } = run ? unsealSettings(space, run) : {}
  const session = run && response && (await repositories.sessions.lock(user_id, run.session_id))
  if (!session) throw new AppError('RUN_NOT_FOUND', 'There is no such response to go on from; send the conversation as input')
  const isLast = !response?.in_session && (await isActiveEnd(repositories, session, run))
  return { before: await conversationAfter(repositories, space, run), session: isLast ? session.id : undefined }
}

/** Nothing comes behind it in the branch that goes on. */
async function isActiveEnd({ runs }: ChatAgentRepositories, session: SessionRow, run: RunRow): Promise<boolean> {
  const end = activeEnd(session)
  if (run.branch !== end.branch) return false
  return run.turn === session.turn || (await runs.latest(end))?.id === run.id
}

/** What was said up to the end of a run, its answer included. */
async function conversationAfter(
  { messages, entries }: ChatAgentRepositories,
  space: SpaceSealer,
  run: RunRow,
): Promise<readonly ConversationMessage[]> {
  if (!TERMINAL.includes(run.status))
    throw new AppError('CONFLICT', 'The response before is still in progress; ask again when it has ended')
  const { conversation } = unsealSettings(space, run)
  if (!conversation) return shownTurns(space, await messages.latest(run, HISTORY))
  const done = (await answersOf({ entries }, space, [run])).get(run.id)
  if (!done) return conversation
  const { content, client_calls: tool_calls } = done
  if (content === '' && !tool_calls) return conversation
  return [...conversation, { role: 'assistant', content: unnumbered(content), ...(tool_calls ? { tool_calls } : {}) }]
}

/** Of runs that have ended, by run. */
export async function answersOf(
  { entries }: Pick<ChatAgentRepositories, 'entries'>,
  space: SpaceSealer,
  runs: readonly Pick<RunRow, 'id' | 'status'>[],
): Promise<ReadonlyMap<string, Done>> {
  const ended = runs.filter(({ status }) => TERMINAL.includes(status)).map(({ id }) => id)
  const rows = ended.length === 0 ? [] : await entries.lastOf(ended)
  const bodies = rows.map((row) => ({ id: row.run_id, body: unsealEntry(space, row.run_id, row).body }))
  return new Map(bodies.flatMap(({ id, body }) => (body.event === 'done' ? [[id, body.data]] : [])))
}

/** Only a question that waits for results of the client's tools keeps its images. */
function shownBefore(before: readonly ConversationMessage[], added: readonly ConversationMessage[]): ConversationMessage[] {
  const shown = withoutImages(before)
  const at = added.some(({ role }) => role === 'user') ? -1 : before.findLastIndex(({ role }) => role === 'user')
  return fitting(shown, added).map((turn) => (turn === shown[at] ? (before[at] ?? turn) : turn))
}

/** The newest messages that can be stored beside the added ones. What was said as system stays. */
function fitting(before: readonly ConversationMessage[], added: readonly ConversationMessage[]): readonly ConversationMessage[] {
  const left = MOST_BYTES - Buffer.byteLength(JSON.stringify(added))
  const newest = withinBytes(before.toReversed(), left).toReversed()
  if (newest.length === before.length) return before
  const begin = newest.findIndex(({ role }) => role === 'user' || role === 'system')
  const kept = begin === -1 ? [] : newest.slice(begin)
  return [...before.slice(0, before.length - kept.length).filter(({ role }) => role === 'system'), ...kept]
}

/**
 * Names the tool of each result, puts the results of a message in the order of its calls, which is how models pair them, and leaves out
 * calls of the client's tools that it did not answer: no model takes those.
 */
export function withCallsResolved(conversation: readonly ConversationMessage[]): StoredTurn[] {
  const answered = new Set(conversation.flatMap((turn) => (turn.role === 'tool' && turn.call_id ? [turn.call_id] : [])))
  /** Of the calls so far, by id. */
  const names = new Map<string, string>()
  return inOrderOfCalls(conversation).map((turn): StoredTurn => {
    if (turn.role === 'tool') return { ...turn, tool_name: turn.tool_name ?? nameOf(names, turn.call_id) }
    if (turn.role !== 'assistant' || !turn.tool_calls) return turn
    const { tool_calls, ...rest } = turn
    const kept = tool_calls.filter(({ id }) => id === undefined || answered.has(id))
    for (const { id, name } of kept) if (id !== undefined) names.set(id, name)
    return kept.length > 0 ? { ...rest, tool_calls: kept } : rest
  })
}

function inOrderOfCalls(conversation: readonly ConversationMessage[]): ConversationMessage[] {
  /** Places of the calls whose results follow, by id. */
  let places = new Map<string | undefined, number>()
  const placed = conversation.map((turn, at) => {
    if (turn.role === 'assistant') places = new Map((turn.tool_calls ?? []).map(({ id }, n) => [id, n]))
    return { turn, at, place: turn.role === 'tool' ? (places.get(turn.call_id) ?? 0) : -1 }
  })
  /** Where the results begin among which each result stands. */
  let begin = 0
  const grouped = placed.map((one) => {
    if (one.turn.role !== 'tool' || conversation[one.at - 1]?.role !== 'tool') begin = one.at
    return { ...one, begin }
  })
  return grouped.toSorted((a, b) => a.begin - b.begin || a.place - b.place).map(({ turn }) => turn)
}

function nameOf(names: ReadonlyMap<string, string>, callId = ''): string {
  const name = names.get(callId)
  if (name !== undefined) return name
  const message = `No call before it has the id ${callId}`
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'input', message }] })
}

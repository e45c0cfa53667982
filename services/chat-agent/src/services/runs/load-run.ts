import type { RunEntry } from '@youworker/contracts/agent/run-log'
import type { MessageRow, RunRow, ToolRunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ModelStep, UnfinishedCall } from '../../repositories/run-repository.ts'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { CitationBook } from '../citations/citation-book.ts'
import { CitationFilter } from '../citations/citation-filter.ts'
import { sealContext, unsealEntry } from '../sealed-fields.ts'
import type { PromptRef } from '../steps/call-record.ts'
import type { ToolCall, ToolOutput } from '../tools/tool-call.ts'
import type { ModelMessage } from '../models/model-port.ts'
import { sinceSummary, summaryTurns } from '../summaries/stored-summary.ts'
import { type RunSettings, type StoredTurn, unsealSettings } from './run-settings.ts'
import { restoreTurn } from './restore-turn.ts'
import { Transcript } from './transcript.ts'

/** Messages of the session that a model is shown at most. */
export const HISTORY = 100
const ENTRIES_PAGE = 5_000

export type StoredMessage = Pick<MessageRow, 'id' | 'run_id' | 'role' | 'content'>

interface RunRows {
  readonly run: RunRow
  readonly transcript: Transcript
  readonly steps: readonly ModelStep[]
  readonly unfinishedCalls: readonly UnfinishedCall[]
  readonly toolRuns: readonly ToolRunRow[]
  /** Of the session up to this run's turn, newest first. */
  readonly messages: readonly StoredMessage[]
}

/** Everything that is stored of a run, unsealed. An attempt continues from it. */
export type LoadedRun = ReturnType<typeof unsealRun>

/** Reads what is stored of a run, in the transaction that made this attempt its owner. The statements are sent together. */
export async function loadRun(repositories: ChatAgentRepositories, space: SpaceSealer, run: RunRow): Promise<LoadedRun> {
  const { runs, toolRuns, messages } = repositories
  const [transcript, steps, unfinishedCalls, calls, turns] = await Promise.all([
    readTranscript(repositories, space, run.id),
    runs.steps(run.id),
    runs.unfinishedCalls(run.id),
    toolRuns.ofRun(run.id),
    // Some more: of a run that has ended, the newest ones are its own answer, and a summary of it.
    messages.latest(run, HISTORY + 2),
  ])
  const before = sinceQuestion(turns).slice(0, HISTORY)
  return unsealRun(space, { run, transcript, steps, unfinishedCalls, toolRuns: calls, messages: before })
}

/** From the newest question on. `messages`: newest first. */
function sinceQuestion(messages: readonly StoredMessage[]): readonly StoredMessage[] {
  const question = messages.findIndex(({ role }) => role === 'user')
  return messages.slice(Math.max(0, question))
}

/** The same of a run that was just added, without reading it. `messages`: newest first. */
export function firstAttempt(
  space: SpaceSealer,
  run: RunRow,
  messages: readonly StoredMessage[],
  entries: readonly RunEntry[],
): LoadedRun {
  const transcript = new Transcript()
  for (const entry of entries) transcript.add(entry)
  return unsealRun(space, { run, transcript, steps: [], unfinishedCalls: [], toolRuns: [], messages })
}

async function readTranscript({ entries }: ChatAgentRepositories, space: SpaceSealer, runId: string): Promise<Transcript> {
  const transcript = new Transcript()
  for (let after = 0; ;) {
    const page = await entries.page(runId, after, ENTRIES_PAGE)
    for (const row of page) transcript.add(unsealEntry(space, runId, row))
    if (page.length < ENTRIES_PAGE) return transcript
    after = page.at(-1)?.n ?? after
  }
}

function unsealRun(space: SpaceSealer, { run, transcript, steps, unfinishedCalls, toolRuns, messages: stored }: RunRows) {
  const { summary, messages } = sinceSummary(stored)
  const book = new CitationBook()
  const calls = toolRuns.map((row) => unsealCall(space, row))
  const own = unsealSettings(space, run)
  const { settings, history, begun } = conversationOf(own, own.conversation ?? shownTurns(space, messages))
  const summed = own.conversation ? undefined : summary
  const summaryShown = summed ? summaryTurns(space, summed) : []
  const modelCalls = [...steps, ...unfinishedCalls]
  const sum = (name: 'tokens_in' | 'tokens_out') => modelCalls.reduce((total, call) => total + call[name], 0)
  return {
    run,
    settings,
    space,
    transcript,
    book,
    summary: summaryShown,
    history,
    refs: new Map([
      ...refsTo(summaryShown.slice(-1), summed ? [summed] : []),
      ...refsTo(history, own.conversation ? [] : messages.toReversed()),
    ]),
    ...restoreTurn({ begun, text: transcript.text, steps, calls }, book),
    calls,
    iterations: steps.length,
    answeredBy: steps.at(-1)?.attempt ?? 0,
    unfinishedCalls,
    tokens_in: sum('tokens_in'),
    tokens_out: sum('tokens_out'),
    estimated: modelCalls.some((call) => call.estimated),
  }
}

/** Where each of these is stored: `rows` begins with the same messages. */
const refsTo = (shown: readonly ModelMessage[], rows: readonly StoredMessage[]) =>
  shown.map((message, at): readonly [ModelMessage, PromptRef] => {
    const row = rows[at]
    return [message, row ? { message: row.id } : { sent: at }]
  })

/** What a model is shown of these messages, the newest last. The instructions of the session are added by the runner. */
export function conversationOf(settings: RunSettings, all: readonly StoredTurn[]) {
  const conversation = all.filter(({ role }) => role !== 'system')
  const { instructions = '' } = settings
  const told = [instructions, ...all.flatMap(({ role, content }) => (role === 'system' ? [content] : []))]
  // All of the client's own results belong to its last question.
  const begin = conversation.findLastIndex(({ role }) => role === 'user')
  return {
    settings: { ...settings, instructions: told.filter((text) => text !== '').join('\n\n') },
    history: conversation.slice(0, begin),
    begun: withImages(conversation.slice(begin), settings.images),
  }
}

/** The question comes first. */
const withImages = (turn: readonly ModelMessage[], images: RunSettings['images']): readonly ModelMessage[] =>
  images ? turn.map((message, at) => (at === 0 && message.role === 'user' ? { ...message, images } : message)) : turn

/** The number of a passage has a meaning only within its own run. */
export const unnumbered = (text: string): string => new CitationFilter(() => false).whole(text)

/** Messages of a session as a model is shown them, oldest first, without summaries. `messages`: newest first. */
export function shownTurns(space: SpaceSealer, messages: readonly StoredMessage[]) {
  return messages.toReversed().flatMap(({ id, role, content }) => {
    if (role === 'summary') return []
    const text = space.openText(content, sealContext.message(id))
    return [{ role, content: role === 'assistant' ? unnumbered(text) : text }]
  })
}

/** One of a session as a model is shown it; of a summary what it says. */
export const shownMessage = (space: SpaceSealer, row: StoredMessage): ModelMessage | undefined =>
  row.role === 'summary' ? summaryTurns(space, row).at(-1) : shownTurns(space, [row])[0]

function unsealCall(space: SpaceSealer, row: ToolRunRow): ToolCall {
  const { id, iteration, status, idempotent, is_away, latency_ms } = row
  const text = (sealed: Buffer | null, context: typeof sealContext.error) =>
    sealed === null ? null : space.openText(sealed, context(id))
  const result = text(row.result, sealContext.result)
  return {
    id,
    iteration,
    name: row.tool_name,
    // Both were written by this service from the same types.
    args: JSON.parse(space.openText(row.args, sealContext.args(id))) as Record<string, unknown>,
    result: result === null ? null : (JSON.parse(result) as ToolOutput),
    status,
    called: row.called_at !== null,
    idempotent,
    is_away,
    latency_ms,
    error: text(row.error, sealContext.error),
  }
}

import type { responses } from '@youworker/contracts/agent/responses'
import type { Done } from '@youworker/contracts/agent/run-log'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { MessageRow, RunRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { activeEnd } from '../branches/path-end.ts'
import { withoutImageData } from '../models/vision.ts'
import { withinBytes } from '../clip.ts'
import { shownTurns } from '../runs/load-run.ts'
import { unsealSettings } from '../runs/run-settings.ts'
import { answersOf } from './continue-run.ts'

type Input = HandlerInput<typeof responses.listTurns>
type Output = HandlerOutput<typeof responses.listTurns>
type Part = Output['parts'][number]

const PAGE_RUNS = 20

/**
 * Of the active branch. Turn 0 is what stands before the first run. Each turn has two positions: what was asked and what was answered. A
 * branch may begin within what a run was given: what it has in common with that one is a part without an answer.
 */
export async function listTurns(
  repositories: ChatAgentRepositories,
  space: SpaceSealer,
  userId: string,
  input: Input,
): Promise<Output> {
  const session = await repositories.sessions.find(userId, input.session_id)
  if (!session) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
  const { order, after } = input
  const turn = await firstTurn(repositories, session, input)
  const end = activeEnd(session)
  const runs = await repositories.runs.onPath(end, order, turn, PAGE_RUNS)
  const isFull = runs.length === PAGE_RUNS
  const last = isFull || order === 'asc' ? (runs.at(-1)?.turn ?? turn) : 0
  const [answers, messages] = await Promise.all([
    answersOf(repositories, space, runs),
    repositories.messages.ofTurns(end, { from: Math.min(turn, last), to: Math.max(turn, last) }),
  ])
  const listed = new Set(runs.map(({ id }) => id))
  const others = Map.groupBy(
    messages.filter(({ run_id }) => !listed.has(run_id)),
    (message) => message.turn,
  )
  const before = [...others].flatMap(([n, own]): Part[] =>
    own[0] ? [{ position: n * 2, run_id: own[0].run_id, input: inOrder(space, own) }] : [],
  )
  const parts = [...before, ...runs.flatMap((run) => partsOf(space, run, messages, answers.get(run.id)))]
    .sort((a, b) => (order === 'asc' ? a.position - b.position : b.position - a.position))
    .filter(({ position }) => after === undefined || (order === 'asc' ? position > after : position < after))
  const fitting = withinBytes(parts, LIMITS.entriesPage)
  const page = fitting.length === 0 ? parts.slice(0, 1) : fitting
  return { session_id: session.id, parts: page, more: isFull || page.length < parts.length }
}

async function firstTurn({ runs }: ChatAgentRepositories, session: SessionRow, { from, after, order }: Input): Promise<number> {
  if (after !== undefined) return Math.floor(after / 2)
  if (from === undefined) return order === 'asc' ? 0 : session.turn
  if (from === session.id) return 0
  const run = await runs.find(from)
  if (run?.session_id === session.id) return run.turn
  throw new AppError('RUN_NOT_FOUND', 'There is no such response in the conversation')
}

function partsOf(space: SpaceSealer, run: RunRow, messages: readonly MessageRow[], answer: Done | undefined): Part[] {
  const { response, conversation, show_thinking, file_search } = unsealSettings(space, run)
  const own = messages.filter(({ run_id }) => run_id === run.id)
  const asked = answer?.content ? own.slice(0, -1) : own
  const input =
    response && conversation ? withoutImageData(conversation.slice(conversation.length - response.added)) : inOrder(space, asked)
  const of = { run_id: run.id, position: run.turn * 2 }
  if (!answer) return [{ ...of, input: [...input] }]
  const { content, citations, client_calls, metadata } = answer
  const told = { content, citations, metadata, ...(client_calls ? { client_calls } : {}) }
  return [
    { ...of, input: [...input] },
    { ...of, position: of.position + 1, answer: told, ...(show_thinking || file_search ? { shows_thinking: true } : {}) },
  ]
}

const inOrder = (space: SpaceSealer, messages: readonly MessageRow[]) => shownTurns(space, messages.toReversed())

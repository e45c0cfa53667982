import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerOutput } from '@youworker/contracts/define'
import { ENTRIES_PER_ATTEMPT, type RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { activeEnd } from '../branches/path-end.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import { type Beginning, endOf, endWith, findAnswer } from '../cache/ended-run.ts'
import { titleOf } from '../runs/chat-turns.ts'
import { firstAttempt, HISTORY, type LoadedRun } from '../runs/load-run.ts'
import { sealSettings } from '../runs/run-settings.ts'
import { sealContext } from '../sealed-fields.ts'
import { clearWay } from '../sessions/clear-way.ts'
import { type KnownGroup, requireSameGroup } from '../sessions/session-group.ts'
import { settingsOf, settingsOfSession } from '../sessions/settings-of-run.ts'
import { addFirstEntries } from './add-first-entries.ts'
import { newMessages } from './new-messages.ts'
import { modelOf, type Plan } from './plan.ts'

/** The `kind` of a run's job. */
export const RUN_KIND = 'run'

export type Started = HandlerOutput<typeof chatAgent.startRun>

/** A run that is to begin. */
export interface Draft {
  readonly run_id: string
  readonly plan: (repositories: ChatAgentRepositories, space: SpaceSealer) => Promise<Plan>
  /** Of the answer, as far as it is known. */
  readonly group?: KnownGroup | undefined
  readonly grant_id: string
  readonly space: SpaceSealer
  readonly context: UserContext
  /** Of the slot in which this process runs it, when nothing else of the session comes first. */
  readonly owner?: string | undefined
  /** The run is only added if it ends at once, with an answer from here. */
  readonly cache?: AnswerCache | undefined
}

/** What becomes of a draft, besides the answer. */
export interface Added {
  job?: JobRow
  run?: LoadedRun
  /** Earlier runs of the session that it stopped. */
  stopped?: Awaited<ReturnType<typeof clearWay>>
  entries: readonly RunEntry[]
}

/** A draft of a session's next turn. */
interface Turn extends Beginning {
  readonly draft: Draft
  readonly plan: Plan
}

export async function addRun(repositories: ChatAgentRepositories, draft: Draft, added: Added): Promise<Started> {
  const plan = await draft.plan(repositories, draft.space)
  const { ref } = plan
  const { session, ahead } = ref
    ? await continueSession(repositories, draft, { ...plan, ref }, added)
    : { session: await addSession(repositories, newSession(draft, plan), draft.context), ahead: 0 }
  const turn = turnOf(draft, plan, { session, ahead })
  const end = draft.cache && (await endOf(repositories, draft.cache, turn))
  return writeTurn(repositories, turn, added, end)
}

/** A run of a session that begins with it, if its answer was given before. */
export interface Repeat {
  readonly draft: Draft & { readonly cache: AnswerCache }
  readonly added: Added
  /** Set when it was added. */
  started?: Started
}

/** Adds those of many users whose answers were given before, in one transaction that sees the spaces of all. */
export async function addRepeats(repositories: ChatAgentRepositories, repeats: readonly Repeat[]): Promise<void> {
  await Promise.all(
    repeats.map(async (repeat) => {
      const { draft, added } = repeat
      const plan = await draft.plan(repositories, draft.space)
      const row = newSession(draft, plan)
      const turn = turnOf(draft, plan, { session: { ...row, instructions: null, branch: null }, ahead: 0 })
      const answer = await findAnswer(repositories, draft.cache, turn)
      if (!answer) return
      // Sent together with what follows, before it.
      const [, started] = await Promise.all([
        repositories.sessions.add(row),
        writeTurn(repositories, turn, added, { ...endWith(answer, turn), opened: row }),
      ])
      repeat.started = started
    }),
  )
}

function turnOf(draft: Draft, plan: Plan, { session, ahead }: Pick<Turn, 'session' | 'ahead'>): Turn {
  const { run_id, grant_id, context, space, group } = draft
  const { user_id, sid } = context.caller
  const { input } = plan
  const owner = ahead === 0 ? draft.owner : undefined
  const run = {
    ...(owner === undefined ? {} : ({ status: 'running', attempt: 1 } as const)),
    id: run_id,
    space_id: user_id,
    user_id,
    sid,
    session_id: session.id,
    grant_id,
    turn: session.turn,
    branch: session.branch ?? 0,
    model: modelOf(plan, session),
    enable_tools: session.tools_pinned ? session.enable_tools && input.enable_tools : input.enable_tools,
    disable_web: input.disable_web,
    max_iterations: input.max_iterations ?? null,
  }
  const settings = settingsOf(plan, settingsOfSession(space, session), context)
  return { draft, plan, ...plan, space, group, session, ahead, run, settings }
}

/** Of a run that ends at once. `opened`: the session, when it is added with it. */
interface Ending extends ReturnType<typeof endWith> {
  readonly opened?: Pick<SessionRow, 'model' | 'enable_tools'>
}

async function writeTurn(
  repositories: ChatAgentRepositories,
  { draft, plan, run, session, ahead, settings }: Turn,
  added: Added,
  end: Ending | undefined,
): Promise<Started> {
  const { run_id, grant_id, context } = draft
  const { user_id } = context.caller
  const { ref, input, fork } = plan
  const owner = ahead === 0 ? draft.owner : undefined
  const payload = { session_id: session.id }
  const ended = end?.run.status
  const job = { id: run_id, kind: RUN_KIND, user_id, space_id: user_id, payload, queue_key: session.id, owner, ended }
  const said = newMessages(draft, session, end ? { ...plan, turns: [...plan.turns, end.message] } : plan)
  const rows = said.map(({ row }) => row)
  const told = said.map((message) => message.told)
  const of = { run_id, user_id, session_id: session.id }
  if (end) repositories.outbox.add(chatAgent.answerRepeated, { ...of, session: end.opened, messages: told }, context)
  else {
    repositories.outbox.add(chatAgent.runStarted, { ...of, grant_id }, context)
    const used = { user_id, session_id: session.id, tokens_in: 0, tokens_out: 0 }
    for (const message of told) repositories.outbox.add(chatAgent.messageCreated, { ...message, ...used }, context)
  }
  // Sent together and carried out in this order.
  const [jobRow, runRow, , entries, , latest] = await Promise.all([
    repositories.jobs.add(job),
    repositories.runs.add({ ...run, settings: sealSettings(draft.space, run_id, settings), ...end?.run }),
    repositories.messages.add(rows),
    addFirstEntries(repositories, draft, { session_id: session.id, position: ahead, ending: end?.entries }, input),
    fork && repositories.branches.add({ ...fork, id: run_id, session_id: session.id, space_id: user_id, number: session.turn }),
    ref && owner !== undefined && !plan.conversation ? repositories.messages.latest(activeEnd(session), HISTORY) : undefined,
    end ? undefined : repositories.outbox.write(),
  ])
  added.entries = entries
  if (owner !== undefined) {
    added.job = jobRow
    added.run = firstAttempt(draft.space, runRow, latest ?? rows.toReversed(), entries)
  }
  // Of those before the first attempt.
  const last_entry = entries.findLast(({ n }) => n < ENTRIES_PER_ATTEMPT)?.n
  return { run_id, session_id: session.id, session_external_id: session.external_id, last_entry }
}
function present(session: SessionRow | undefined): SessionRow {
  if (session) return session
  throw new AppError('SESSION_NOT_FOUND', 'There is no such session; leave session_id out to begin a new one')
}

const sealedTitle = ({ space }: Draft, text: string, sessionId: string) =>
  space.sealText(titleOf(text), sealContext.title(sessionId))

/** How many it adds at once: those that it begins with, and the answer that is there. */
const messagesOf = (turns: Plan['turns'], { cache }: Draft): number => turns.length + (cache ? 1 : 0)

/** Begins the next turn of a session. `ahead`: its runs that come first. */
async function continueSession(
  repositories: ChatAgentRepositories,
  draft: Draft,
  { ref, text, turns, input, fork }: Plan & { readonly ref: string },
  added: Added,
) {
  const { sessions, jobs } = repositories
  const { context, run_id } = draft
  const locked = present(await sessions.lock(context.caller.user_id, ref))
  requireSameGroup(locked, input.group_id)
  const { id } = locked
  if (locked.when_busy !== 'queue') added.stopped = await clearWay(repositories, locked)
  const title = sealedTitle(draft, text, id)
  const messages = messagesOf(turns, draft)
  const [session, ahead] = await Promise.all([
    sessions.beginTurn(id, { messages, title, enable_tools: input.enable_tools, branch_id: fork && run_id }),
    jobs.unfinished(RUN_KIND, id),
  ])
  return { session, ahead }
}

/** A session in its first turn. */
function newSession(draft: Draft, { text, turns, input }: Plan) {
  const id = newId()
  const { user_id } = draft.context.caller
  const { enable_tools } = input
  return {
    id,
    space_id: user_id,
    user_id,
    external_id: id,
    title: sealedTitle(draft, text, id),
    title_by: 'words' as const,
    model: input.model ?? null,
    enable_tools,
    tools_pinned: false,
    group_id: input.group_id ?? null,
    turn: 1,
    message_count: messagesOf(turns, draft),
  }
}

async function addSession(
  { sessions, outbox }: ChatAgentRepositories,
  row: ReturnType<typeof newSession>,
  context: UserContext,
): Promise<SessionRow> {
  const { id: session_id, user_id, model, enable_tools } = row
  outbox.add(chatAgent.sessionCreated, { session_id, user_id, model, enable_tools }, context)
  const session = await sessions.add(row)
  if (!session) throw new AppError('INTERNAL_ERROR', 'A new id is in use already')
  return session
}

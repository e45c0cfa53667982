import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { type RunEntry, type RunEntryBody } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { Slot } from '@youworker/database/jobs/worker'
import type { EntryRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { readTurns, titleOf, type Turn } from './chat-turns.ts'
import type { Grants, Groups, IsSignedIn, LivePublisher, Waker } from '../ports.ts'
import { requireGroup } from '../prompts/session-prompts.ts'
import { sealContext } from '../sealed-fields.ts'
import { requireSameGroup } from '../sessions/session-group.ts'
import { settingsOf, settingsOfSession } from '../sessions/settings-of-run.ts'
import { clearWay } from '../sessions/clear-way.ts'
import { firstAttempt, HISTORY, type LoadedRun, type StoredMessage } from './load-run.ts'
import { continuedConversation, withCallsResolved } from '../responses/continue-run.ts'
import { sealSettings, type StoredTurn } from './run-settings.ts'
import { entryNumber } from './transcript.ts'

/** The `kind` of a run's job. */
export const RUN_KIND = 'run'

const NO_AUDIO: RunEntryBody = {
  event: 'log',
  data: { level: 'warning', msg: 'This version has no voice yet (AUDIO__BASE_URL): the answer comes as text only.' },
}

type Started = HandlerOutput<typeof chatAgent.startRun>
type StartInput = HandlerInput<typeof chatAgent.startResponse>

interface Draft {
  readonly run_id: string
  readonly grant_id: string
  readonly input: Omit<StartInput, 'run_id'>
  readonly turns: ReturnType<typeof readTurns> | undefined
  readonly space: SpaceSealer
  readonly context: UserContext
  /** Of the slot in which this process runs it, when nothing else of the session comes first. */
  readonly owner: string | undefined
}

/** What becomes of a draft, besides the answer. */
interface Added {
  job?: JobRow
  run?: LoadedRun
  /** Earlier runs of the session that it stopped. */
  stopped?: Awaited<ReturnType<typeof clearWay>>
  entries: readonly RunEntry[]
}

interface StartRunParts {
  readonly uow: ChatAgentUnitOfWork
  readonly sealer: Sealer
  readonly grants: Grants
  readonly groups: Groups
  readonly live: LivePublisher
  readonly waker: Waker
  /** Of this process's worker. */
  readonly reserve: () => Slot<LoadedRun> | undefined
  readonly isSignedIn: IsSignedIn
  /** Ends a run whose job was cancelled before it began. */
  readonly endWaiting: (runId: string, spaceId: string) => Promise<void>
}

/** Accepts a chat turn: writes the user's message, the run and its job in one transaction. */
export class StartRun {
  readonly #parts: StartRunParts

  constructor(parts: StartRunParts) {
    this.#parts = parts
  }

  async start({ run_id = newId(), ...input }: StartInput, context: UserContext): Promise<Started> {
    const { uow, sealer, grants, groups, live, waker, reserve, isSignedIn, endWaiting } = this.#parts
    const { user_id } = context.caller
    const turns = goesOn(input) && input.text_input === undefined ? undefined : readTurns(input)
    await requireGroup(groups, user_id, input.group_id)
    // Made before the run: a run without a grant could do nothing, while auth removes a grant without a run.
    const grant_id = await grants.create(run_id, context)
    const space = await sealer.forSpace(user_id)
    using slot = reserve()
    const draft: Draft = { run_id, grant_id, input, turns, space, context, owner: slot?.owner }
    const added: Added = { entries: [] }
    const request = { user_id, subject: chatAgent.startRun.subject, key: context.idempotencyKey, request: input }
    const started = await uow
      .in([user_id])
      .write((repositories) => repositories.idempotency.once(request, () => addRun(repositories, draft, added)))
    for (const entry of added.entries) live.publish(run_id, entry)
    const { job, run, stopped } = added
    if (stopped?.isRunning) waker.cancelled()
    // The new run is accepted, whatever becomes of this: a sweep ends them otherwise.
    for (const id of stopped?.waiting ?? []) endWaiting(id, user_id).catch(() => {})
    // A sign-out before the commit did not find the run, one after it does. Without `run` the runner asks auth first.
    if (slot && job && run) slot.start(job, (await isSignedIn(context)) ? run : undefined)
    else waker.newRun()
    return started
  }
}

function present(session: SessionRow | undefined): SessionRow {
  if (session) return session
  throw new AppError('SESSION_NOT_FOUND', 'There is no such session; leave session_id out to begin a new one')
}

/** With messages of its own behind those of a run or session. */
const goesOn = ({ previous_run_id, session_id, conversation }: Draft['input']): boolean =>
  conversation !== undefined && (previous_run_id !== undefined || Boolean(session_id))

/** Where a run belongs, and what it begins with. */
interface Plan {
  /** Of a session that goes on. */
  readonly ref: string | undefined
  /** To be stored as messages. */
  readonly turns: readonly Turn[]
  readonly text: string
  /** What the model is given in place of the session's messages. */
  readonly conversation: readonly StoredTurn[] | undefined
}

async function planOf(repositories: ChatAgentRepositories, { input, space, context, turns }: Draft): Promise<Plan> {
  const { session_id, conversation = [] } = input
  if (!goesOn(input)) {
    const { text = '', earlier = [] } = turns ?? {}
    const ref = session_id || undefined
    const own = input.conversation && withCallsResolved(conversation)
    return { ref, text, turns: [...(ref ? [] : earlier), { role: 'user', content: text }], conversation: own }
  }
  const { user_id } = context.caller
  const { previous_run_id } = input
  const goingOn = await continuedConversation(repositories, { user_id, space, previous_run_id, session_id, conversation })
  const text = turns?.text ?? goingOn.conversation.findLast(({ role }) => role === 'user')?.content
  if (text === undefined) throw new AppError('VALIDATION_ERROR', 'Send a message of the user: there is none before it')
  const isNew = turns !== undefined || goingOn.session === undefined
  return { ref: goingOn.session, text, turns: isNew ? [{ role: 'user', content: text }] : [], conversation: goingOn.conversation }
}

async function addRun(repositories: ChatAgentRepositories, draft: Draft, added: Added): Promise<Started> {
  const { run_id, grant_id, input, context } = draft
  const { user_id, sid } = context.caller
  const plan = await planOf(repositories, draft)
  const { ref, turns } = plan
  const { session, ahead } = ref
    ? await continueSession(repositories, draft, { ...plan, ref }, added)
    : { session: await addSession(repositories, draft, plan), ahead: 0 }
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
    model: input.model ?? session.model,
    enable_tools: session.tools_pinned ? session.enable_tools && input.enable_tools : input.enable_tools,
    disable_web: input.disable_web,
    max_iterations: input.max_iterations ?? null,
    settings: sealSettings(draft.space, run_id, settingsOf(input, plan.conversation, settingsOfSession(draft.space, session))),
  }
  const payload = { session_id: session.id }
  const job = { id: run_id, kind: RUN_KIND, user_id, space_id: user_id, payload, queue_key: session.id, owner }
  repositories.outbox.add(chatAgent.runStarted, { run_id, user_id, session_id: session.id, grant_id }, context)
  // Sent together and carried out in this order. The events come behind `addMessages`, which adds its own.
  const [jobRow, runRow, messages, entries, latest] = await Promise.all([
    repositories.jobs.add(job),
    repositories.runs.add(run),
    addMessages(repositories, draft, session, turns),
    addFirstEntries(repositories, draft, session.id, ahead),
    ref && owner !== undefined && !plan.conversation
      ? repositories.messages.latest(session.id, session.turn, HISTORY)
      : undefined,
    repositories.outbox.write(),
  ])
  added.entries = entries
  if (owner !== undefined) {
    added.job = jobRow
    added.run = firstAttempt(draft.space, runRow, latest ?? messages.toReversed(), entries)
  }
  const last_entry = entries.at(-1)?.n
  return { run_id, session_id: session.id, session_external_id: session.external_id, last_entry }
}

const sealedTitle = ({ space }: Draft, text: string, sessionId: string) =>
  space.sealText(titleOf(text), sealContext.title(sessionId))

/** Begins the next turn of a session. `ahead`: its runs that come first. */
async function continueSession(
  repositories: ChatAgentRepositories,
  draft: Draft,
  { ref, text, turns }: Plan & { readonly ref: string },
  added: Added,
) {
  const { sessions, jobs } = repositories
  const { context, input } = draft
  const locked = present(await sessions.lock(context.caller.user_id, ref))
  requireSameGroup(locked, input.group_id)
  const { id } = locked
  if (locked.when_busy !== 'queue') added.stopped = await clearWay(repositories, locked)
  const title = sealedTitle(draft, text, id)
  const [session, ahead] = await Promise.all([
    sessions.beginTurn(id, { messages: turns.length, title, enable_tools: input.enable_tools }),
    jobs.unfinished(RUN_KIND, id),
  ])
  return { session, ahead }
}

/** Adds a session in its first turn. */
async function addSession({ sessions, outbox }: ChatAgentRepositories, draft: Draft, { text, turns }: Plan): Promise<SessionRow> {
  const { input, context } = draft
  const id = newId()
  const { user_id } = context.caller
  const { enable_tools } = input
  const model = input.model ?? null
  const title = sealedTitle(draft, text, id)
  const row = {
    id,
    space_id: user_id,
    user_id,
    external_id: id,
    title,
    model,
    enable_tools,
    tools_pinned: false,
    group_id: input.group_id ?? null,
  }
  const session = await sessions.add({ ...row, turn: 1, message_count: turns.length })
  if (!session) throw new AppError('INTERNAL_ERROR', 'A new id is in use already')
  outbox.add(chatAgent.sessionCreated, { session_id: id, user_id, model, enable_tools }, context)
  return session
}

async function addMessages(
  { messages, outbox }: ChatAgentRepositories,
  { run_id, input, space, context }: Draft,
  { id: session_id, space_id, turn, model: usual }: SessionRow,
  turns: readonly Turn[],
): Promise<readonly StoredMessage[]> {
  const { user_id } = context.caller
  const used = { tokens_in: 0, tokens_out: 0 }
  const rows = turns.map(({ role, content }) => {
    const id = newId()
    return { id, space_id, session_id, run_id, turn, role, content: space.sealText(content, sealContext.message(id)), ...used }
  })
  const model = input.model ?? usual
  for (const { id: message_id, role } of rows)
    outbox.add(chatAgent.messageCreated, { message_id, session_id, user_id, role, model, ...used }, context)
  await messages.add(rows)
  return rows
}

/** These let a stream show the run's position in the queue before a worker has claimed it. */
async function addFirstEntries(
  { entries }: ChatAgentRepositories,
  { run_id, input, space, context }: Draft,
  session_id: string,
  position: number,
): Promise<RunEntry[]> {
  const bodies: RunEntryBody[] = [
    { event: 'run', data: { run_id, session_id } },
    { event: 'status', data: { stage: 'queued', position } },
    ...(input.expect_audio ? [NO_AUDIO] : []),
  ]
  const first = bodies.map((body, index) => ({ n: entryNumber(0, index + 1), body }))
  const space_id = context.caller.user_id
  const rows = first.map(({ n, body }): EntryRow => {
    return { run_id, n, attempt: 0, space_id, body: space.sealText(JSON.stringify(body), sealContext.entry(run_id, n)) }
  })
  await entries.add(rows)
  return first
}

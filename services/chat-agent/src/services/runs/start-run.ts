import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { ENTRIES_PER_ATTEMPT, type RunEntry, type RunEntryBody } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { Slot } from '@youworker/database/jobs/worker'
import type { EntryRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { readTurns, titleOf, type Turn } from './chat-turns.ts'
import type { Grants, IsSignedIn, LivePublisher, Waker } from '../ports.ts'
import { sealContext, unsealInstructions } from '../sealed-fields.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import { endOf, startCached } from '../cache/ended-run.ts'
import { addMessages } from '../turns/add-messages.ts'
import { clearWay } from '../sessions/clear-way.ts'
import { firstAttempt, HISTORY, type LoadedRun } from './load-run.ts'
import { continuedConversation, withCallsResolved } from '../responses/continue-run.ts'
import { type RunSettings, sealSettings, type StoredTurn } from './run-settings.ts'
import { attemptOf, entryNumber } from './transcript.ts'

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
  /** The run is only added if it ends at once, with an answer from here. */
  readonly cache?: AnswerCache | undefined
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
  readonly live: LivePublisher
  readonly waker: Waker
  /** Of this process's worker. */
  readonly reserve: () => Slot<LoadedRun> | undefined
  readonly isSignedIn: IsSignedIn
  /** Ends a run whose job was cancelled before it began. */
  readonly endWaiting: (runId: string, spaceId: string) => Promise<void>
  readonly cache: AnswerCache
}

/** Accepts a chat turn: writes the user's message, the run and its job in one transaction. */
export class StartRun {
  readonly #parts: StartRunParts

  constructor(parts: StartRunParts) {
    this.#parts = parts
  }

  async start({ run_id = newId(), ...input }: StartInput, context: UserContext): Promise<Started> {
    const { uow, sealer, grants, live, waker, reserve, isSignedIn, endWaiting, cache } = this.#parts
    const { user_id } = context.caller
    const turns = goesOn(input) && input.text_input === undefined ? undefined : readTurns(input)
    const space = await sealer.forSpace(user_id)
    const request = { user_id, subject: chatAgent.startRun.subject, key: context.idempotencyKey, request: input }
    const add = (draft: Draft, added: Added) =>
      uow.in([user_id]).write((repositories) => repositories.idempotency.once(request, () => addRun(repositories, draft, added)))
    const begun = { run_id, input, turns, space, context }
    const ended: Added = { entries: [] }
    // It needs no grant: nothing is done for it. Nobody but the caller can know its id before it has ended.
    const known = await startCached(cache, input, () => add({ ...begun, grant_id: run_id, owner: undefined, cache }, ended))
    if (known) return { ...known, ...(ended.entries.length > 0 ? { entries: [...ended.entries] } : {}) }
    // Made before the run: a run without a grant could do nothing, while auth removes a grant without a run.
    const grant_id = await grants.create(run_id, context)
    using slot = reserve()
    const draft: Draft = { ...begun, grant_id, owner: slot?.owner }
    const added: Added = { entries: [] }
    const started = await add(draft, added)
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
  }
  const settings = settingsOf(draft, plan, unsealInstructions(draft.space, session))
  const end = draft.cache && (await endOf(repositories, draft.cache, { ...draft, ...plan, session, ahead, run, settings }))
  const payload = { session_id: session.id }
  const ended = end?.run.status
  const job = { id: run_id, kind: RUN_KIND, user_id, space_id: user_id, payload, queue_key: session.id, owner, ended }
  if (end) repositories.outbox.add(chatAgent.runFinished, end.finished, context)
  else repositories.outbox.add(chatAgent.runStarted, { run_id, user_id, session_id: session.id, grant_id }, context)
  // Sent together and carried out in this order. The events come behind `addMessages`, which adds its own.
  const [jobRow, runRow, messages, entries, latest] = await Promise.all([
    repositories.jobs.add(job),
    repositories.runs.add({ ...run, settings: sealSettings(draft.space, run_id, settings), ...end?.run }),
    addMessages(repositories, draft, session, end ? [...turns, end.message] : turns),
    addFirstEntries(repositories, draft, { session_id: session.id, position: ahead, ending: end?.entries }),
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
  // Of those before the first attempt.
  const last_entry = entries.findLast(({ n }) => n < ENTRIES_PER_ATTEMPT)?.n
  return { run_id, session_id: session.id, session_external_id: session.external_id, last_entry }
}

const settingsOf = (
  { input: { instructions, language, parameters, ...input }, context }: Draft,
  { conversation }: Plan,
  ofSession: string | undefined,
): RunSettings => ({
  instructions: [ofSession, instructions].filter((text) => text).join('\n\n') || undefined,
  language: language ?? undefined,
  parameters: parameters ?? undefined,
  plain: input.plain || undefined,
  append_only: input.append_only || undefined,
  conversation,
  client_tools: input.client_tools?.length ? input.client_tools : undefined,
  response: input.request && {
    request: input.request,
    added: input.conversation?.length ?? 0,
    in_session: input.session_id ? true : undefined,
  },
  cache: input.cache ? { scopes: context.caller.scopes.toSorted() } : undefined,
})

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
  const { id } = locked
  if (locked.when_busy !== 'queue') added.stopped = await clearWay(repositories, locked)
  const title = sealedTitle(draft, text, id)
  const [session, ahead] = await Promise.all([
    sessions.beginTurn(id, { messages: turns.length + (draft.cache ? 1 : 0), title, enable_tools: input.enable_tools }),
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
  const row = { id, space_id: user_id, user_id, external_id: id, title, model, enable_tools, tools_pinned: false }
  const session = await sessions.add({ ...row, turn: 1, message_count: turns.length + (draft.cache ? 1 : 0) })
  if (!session) throw new AppError('INTERNAL_ERROR', 'A new id is in use already')
  outbox.add(chatAgent.sessionCreated, { session_id: id, user_id, model, enable_tools }, context)
  return session
}

interface FirstEntries {
  readonly session_id: string
  readonly position: number
  /** Of a run that ends at once. */
  readonly ending?: readonly RunEntry[] | undefined
}

/** These let a stream show the run's position in the queue before a worker has claimed it. */
async function addFirstEntries(
  { entries }: ChatAgentRepositories,
  { run_id, input, space, context }: Draft,
  { session_id, position, ending = [] }: FirstEntries,
): Promise<RunEntry[]> {
  const bodies: RunEntryBody[] = [
    { event: 'run', data: { run_id, session_id } },
    { event: 'status', data: { stage: 'queued', position } },
    ...(input.expect_audio ? [NO_AUDIO] : []),
  ]
  const first = [...bodies.map((body, index) => ({ n: entryNumber(0, index + 1), body })), ...ending]
  const space_id = context.caller.user_id
  const rows = first.map(({ n, body }): EntryRow => {
    return {
      run_id,
      n,
      attempt: attemptOf(n),
      space_id,
      body: space.sealText(JSON.stringify(body), sealContext.entry(run_id, n)),
    }
  })
  await entries.add(rows)
  return first
}

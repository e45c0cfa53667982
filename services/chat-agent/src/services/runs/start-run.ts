import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import { ENTRIES_PER_ATTEMPT, type RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { Slot } from '@youworker/database/jobs/worker'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { Vision } from '../models/vision.ts'
import { titleOf } from './chat-turns.ts'
import type { Grants, Groups, IsSignedIn, LivePublisher, Waker } from '../ports.ts'
import { sealContext } from '../sealed-fields.ts'
import { activeEnd } from '../branches/path-end.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import { endOf, startCached, type Wanted } from '../cache/ended-run.ts'
import { clearWay } from '../sessions/clear-way.ts'
import { groupOf, type KnownGroup, requireSameGroup } from '../sessions/session-group.ts'
import { settingsOf, settingsOfSession } from '../sessions/settings-of-run.ts'
import { addFirstEntries } from '../turns/add-first-entries.ts'
import { addMessages } from '../turns/add-messages.ts'
import { modelOf, type Plan, type RunInput } from '../turns/plan.ts'
import { planRetry, type Retry } from '../turns/plan-retry.ts'
import { planTurn, readMessage } from '../turns/plan-turn.ts'
import { requireModel } from '../turns/require-model.ts'
import { firstAttempt, HISTORY, type LoadedRun } from './load-run.ts'
import { sealSettings } from './run-settings.ts'

/** The `kind` of a run's job. */
export const RUN_KIND = 'run'

type Started = HandlerOutput<typeof chatAgent.startRun>
type StartInput = HandlerInput<typeof chatAgent.startResponse>

/** A request for a run. */
interface Asked {
  readonly run_id: string
  readonly subject: string
  /** Without the id of the run: what a repeat has in common with the first request. */
  readonly request: unknown
  /** Whether it may be answered with what was given before. */
  readonly wanted: Wanted
  readonly plan: (repositories: ChatAgentRepositories, space: SpaceSealer) => Promise<Plan>
  /** Of the answer, as far as it is known. */
  readonly group?: KnownGroup | undefined
}

interface Draft extends Pick<Asked, 'run_id' | 'plan' | 'group'> {
  readonly grant_id: string
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
  readonly groups: Groups
  readonly live: LivePublisher
  readonly waker: Waker
  /** Of this process's worker. */
  readonly reserve: () => Slot<LoadedRun> | undefined
  readonly isSignedIn: IsSignedIn
  readonly vision: Vision
  readonly models: Parameters<typeof requireModel>[0]
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
    const { user_id } = context.caller
    const said = readMessage(input)
    const group = await groupOf(this.#parts, user_id, input)
    await requireModel(this.#parts.models, input.model, context.signal)
    const visionModel = await this.#parts.vision.modelFor(input, context.signal)
    return this.#accept(
      {
        run_id,
        subject: chatAgent.startRun.subject,
        request: sameOf(input),
        wanted: { client_tools: input.client_tools, cache: input.cache ?? group?.cache_answers },
        group,
        plan: async (repositories, space) => ({
          ...(await planTurn(repositories, { user_id, space }, input, said)),
          visionModel,
        }),
      },
      context,
    )
  }

  /** Asks a question of a session again, in a branch of its own: for another answer, so never for one that was given before. */
  async retry(
    { run_id = newId(), ...retry }: Retry & { readonly run_id?: string | undefined },
    context: UserContext,
  ): Promise<Started> {
    const { user_id } = context.caller
    await requireModel(this.#parts.models, retry.model, context.signal)
    const visionModel = await this.#parts.vision.later(retry, context.signal)
    return this.#accept(
      {
        run_id,
        subject: chatAgent.retryMessage.subject,
        request: retry,
        wanted: {},
        plan: async (repositories, space) => {
          const plan = await planRetry(repositories, { user_id, space }, retry)
          return { ...plan, visionModel: visionModel(plan.input.images, plan.conversation) }
        },
      },
      context,
    )
  }

  async #accept({ run_id, plan, subject, request: asked, wanted, group }: Asked, context: UserContext): Promise<Started> {
    const { uow, sealer, grants, live, waker, reserve, isSignedIn, cache } = this.#parts
    const { user_id } = context.caller
    const space = await sealer.forSpace(user_id)
    const request = { user_id, subject, key: context.idempotencyKey, request: asked }
    const add = (draft: Draft, added: Added) =>
      uow.in([user_id]).write((repositories) => repositories.idempotency.once(request, () => addRun(repositories, draft, added)))
    const begun = { run_id, plan, group, space, context }
    const ended: Added = { entries: [] }
    // It needs no grant: nothing is done for it. Nobody but the caller can know its id before it has ended.
    const known = await startCached(cache, wanted, () => add({ ...begun, grant_id: run_id, owner: undefined, cache }, ended))
    if (known) {
      this.#endStopped(ended, user_id)
      return { ...known, ...(ended.entries.length > 0 ? { entries: [...ended.entries] } : {}) }
    }
    // Made before the run: a run without a grant could do nothing, while auth removes a grant without a run.
    const grant_id = await grants.create(run_id, context)
    using slot = reserve()
    const draft: Draft = { ...begun, grant_id, owner: slot?.owner }
    const added: Added = { entries: [] }
    const started = await add(draft, added)
    for (const entry of added.entries) live.publish(run_id, entry)
    const { job, run } = added
    this.#endStopped(added, user_id)
    // A sign-out before the commit did not find the run, one after it does. Without `run` the runner asks auth first.
    if (slot && job && run) slot.start(job, (await isSignedIn(context)) ? run : undefined)
    else waker.newRun()
    return started
  }

  #endStopped({ stopped }: Added, userId: string): void {
    const { waker, endWaiting } = this.#parts
    if (stopped?.isRunning) waker.cancelled()
    // The new run is accepted, whatever becomes of this: a sweep ends them otherwise.
    for (const id of stopped?.waiting ?? []) endWaiting(id, userId).catch(() => {})
  }
}

/** What a repeated request has in common with the first: the same recording may be understood in other words. */
const sameOf = (input: RunInput): object => (input.voice ? { ...input, text_input: undefined, voice: input.voice.digest } : input)

function present(session: SessionRow | undefined): SessionRow {
  if (session) return session
  throw new AppError('SESSION_NOT_FOUND', 'There is no such session; leave session_id out to begin a new one')
}

async function addRun(repositories: ChatAgentRepositories, draft: Draft, added: Added): Promise<Started> {
  const { run_id, grant_id, context } = draft
  const { user_id, sid } = context.caller
  const plan = await draft.plan(repositories, draft.space)
  const { ref, input, fork } = plan
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
    branch: session.branch ?? 0,
    model: modelOf(plan, session),
    enable_tools: session.tools_pinned ? session.enable_tools && input.enable_tools : input.enable_tools,
    disable_web: input.disable_web,
    max_iterations: input.max_iterations ?? null,
  }
  const settings = settingsOf(plan, settingsOfSession(draft.space, session), context)
  const end = draft.cache && (await endOf(repositories, draft.cache, { ...draft, ...plan, session, ahead, run, settings }))
  const payload = { session_id: session.id }
  const ended = end?.run.status
  const job = { id: run_id, kind: RUN_KIND, user_id, space_id: user_id, payload, queue_key: session.id, owner, ended }
  if (end) repositories.outbox.add(chatAgent.runFinished, end.finished, context)
  else repositories.outbox.add(chatAgent.runStarted, { run_id, user_id, session_id: session.id, grant_id }, context)
  // Sent together and carried out in this order. The events come behind `addMessages`, which adds its own.
  const [jobRow, runRow, messages, entries, , latest] = await Promise.all([
    repositories.jobs.add(job),
    repositories.runs.add({ ...run, settings: sealSettings(draft.space, run_id, settings), ...end?.run }),
    addMessages(repositories, draft, session, end ? { ...plan, turns: [...plan.turns, end.message] } : plan),
    addFirstEntries(repositories, draft, { session_id: session.id, position: ahead, ending: end?.entries }, input),
    fork && repositories.branches.add({ ...fork, id: run_id, session_id: session.id, space_id: user_id, number: session.turn }),
    ref && owner !== undefined && !plan.conversation ? repositories.messages.latest(activeEnd(session), HISTORY) : undefined,
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

/** Adds a session in its first turn. */
async function addSession(
  { sessions, outbox }: ChatAgentRepositories,
  draft: Draft,
  { text, turns, input }: Plan,
): Promise<SessionRow> {
  const { context } = draft
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
    title_by: 'words' as const,
    model,
    enable_tools,
    tools_pinned: false,
    group_id: input.group_id ?? null,
  }
  const session = await sessions.add({ ...row, turn: 1, message_count: messagesOf(turns, draft) })
  if (!session) throw new AppError('INTERNAL_ERROR', 'A new id is in use already')
  outbox.add(chatAgent.sessionCreated, { session_id: id, user_id, model, enable_tools }, context)
  return session
}

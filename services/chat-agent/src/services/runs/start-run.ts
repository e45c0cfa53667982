import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput, HandlerOutput } from '@youworker/contracts/define'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import type { JobRow } from '@youworker/database/jobs/jobs'
import type { Slot } from '@youworker/database/jobs/worker'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { Sight } from '../models/sight.ts'
import { titleOf } from './chat-turns.ts'
import type { Grants, Groups, IsSignedIn, LivePublisher, Waker } from '../ports.ts'
import { requireGroup } from '../prompts/session-prompts.ts'
import { sealContext } from '../sealed-fields.ts'
import { activeEnd } from '../branches/path-end.ts'
import { clearWay } from '../sessions/clear-way.ts'
import { requireSameGroup } from '../sessions/session-group.ts'
import { settingsOf, settingsOfSession } from '../sessions/settings-of-run.ts'
import { addFirstEntries } from '../turns/add-first-entries.ts'
import { addMessages } from '../turns/add-messages.ts'
import { modelOf, type Plan, type RunInput } from '../turns/plan.ts'
import { planRetry, type Retry } from '../turns/plan-retry.ts'
import { planTurn, readMessage } from '../turns/plan-turn.ts'
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
  readonly plan: (repositories: ChatAgentRepositories, space: SpaceSealer) => Promise<Plan>
}

interface Draft extends Pick<Asked, 'run_id' | 'plan'> {
  readonly grant_id: string
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
  readonly sight: Sight
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
    const { user_id } = context.caller
    const said = readMessage(input)
    await requireGroup(this.#parts.groups, user_id, input.group_id)
    const seeing = await this.#parts.sight.modelFor(input, context.signal)
    return this.#accept(
      {
        run_id,
        subject: chatAgent.startRun.subject,
        request: sameOf(input),
        plan: async (repositories, space) => ({ ...(await planTurn(repositories, { user_id, space }, input, said)), seeing }),
      },
      context,
    )
  }

  /** Asks a question of a session again, in a branch of its own. */
  async retry(
    { run_id = newId(), ...retry }: Retry & { readonly run_id?: string | undefined },
    context: UserContext,
  ): Promise<Started> {
    const { user_id } = context.caller
    const seeing = await this.#parts.sight.later(retry, context.signal)
    return this.#accept(
      {
        run_id,
        subject: chatAgent.retryMessage.subject,
        request: retry,
        plan: async (repositories, space) => {
          const plan = await planRetry(repositories, { user_id, space }, retry)
          return { ...plan, seeing: seeing(plan.input.images, plan.conversation) }
        },
      },
      context,
    )
  }

  async #accept({ run_id, plan, subject, request: asked }: Asked, context: UserContext): Promise<Started> {
    const { uow, sealer, grants, live, waker, reserve, isSignedIn, endWaiting } = this.#parts
    const { user_id } = context.caller
    // Made before the run: a run without a grant could do nothing, while auth removes a grant without a run.
    const grant_id = await grants.create(run_id, context)
    const space = await sealer.forSpace(user_id)
    using slot = reserve()
    const draft: Draft = { run_id, plan, grant_id, space, context, owner: slot?.owner }
    const added: Added = { entries: [] }
    const request = { user_id, subject, key: context.idempotencyKey, request: asked }
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
    settings: sealSettings(draft.space, run_id, settingsOf(plan, settingsOfSession(draft.space, session))),
  }
  const payload = { session_id: session.id }
  const job = { id: run_id, kind: RUN_KIND, user_id, space_id: user_id, payload, queue_key: session.id, owner }
  repositories.outbox.add(chatAgent.runStarted, { run_id, user_id, session_id: session.id, grant_id }, context)
  // Sent together and carried out in this order. The events come behind `addMessages`, which adds its own.
  const [jobRow, runRow, messages, entries, , latest] = await Promise.all([
    repositories.jobs.add(job),
    repositories.runs.add(run),
    addMessages(repositories, draft, session, plan),
    addFirstEntries(repositories, draft, { session_id: session.id, position: ahead }, input),
    fork && repositories.branches.add({ ...fork, id: run_id, session_id: session.id, space_id: user_id, number: session.turn }),
    ref && owner !== undefined && !plan.conversation ? repositories.messages.latest(activeEnd(session), HISTORY) : undefined,
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
  const [session, ahead] = await Promise.all([
    sessions.beginTurn(id, { messages: turns.length, title, enable_tools: input.enable_tools, branch_id: fork && run_id }),
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
  const session = await sessions.add({ ...row, turn: 1, message_count: turns.length })
  if (!session) throw new AppError('INTERNAL_ERROR', 'A new id is in use already')
  outbox.add(chatAgent.sessionCreated, { session_id: id, user_id, model, enable_tools }, context)
  return session
}

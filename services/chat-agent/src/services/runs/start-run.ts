import { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput } from '@youworker/contracts/define'
import { BatchWriter } from '@youworker/database/events/batch-writer'
import type { Slot } from '@youworker/database/jobs/worker'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { Vision } from '../models/vision.ts'
import type { Grants, Groups, IsSignedIn, LivePublisher, Waker } from '../ports.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import { startCached, type Wanted } from '../cache/ended-run.ts'
import { groupOf } from '../sessions/session-group.ts'
import { type Added, addRepeats, addRun, type Draft, type Repeat, type Started } from '../turns/add-run.ts'
import type { RunInput } from '../turns/plan.ts'
import { planRetry, type Retry } from '../turns/plan-retry.ts'
import { planTurn, readMessage } from '../turns/plan-turn.ts'
import { requireModel } from '../turns/require-model.ts'
import type { LoadedRun } from './load-run.ts'

type StartInput = HandlerInput<typeof chatAgent.startResponse>

/** A request for a run. */
interface Asked extends Pick<Draft, 'run_id' | 'plan' | 'group'> {
  readonly subject: string
  /** Without the id of the run: what a repeat has in common with the first request. */
  readonly request: unknown
  /** Whether it may be answered with what was given before. */
  readonly wanted: Wanted
  /** It begins a session, so that nothing else is in its way. */
  readonly isFirst: boolean
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
  /** Answers that were given before, to those who ask at the same time. */
  readonly #repeats = new BatchWriter<Repeat>((repeats) => this.#addRepeats(repeats))

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
        isFirst: !input.session_id && !input.previous_run_id,
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
        isFirst: false,
        plan: async (repositories, space) => {
          const plan = await planRetry(repositories, { user_id, space }, retry)
          return { ...plan, visionModel: visionModel(plan.input.images, plan.conversation) }
        },
      },
      context,
    )
  }

  async #accept(asked: Asked, context: UserContext): Promise<Started> {
    const { uow, sealer, grants, live, waker, reserve, isSignedIn, cache } = this.#parts
    const { run_id, plan, group, subject } = asked
    const { user_id } = context.caller
    const space = await sealer.forSpace(user_id)
    const request = { user_id, subject, key: context.idempotencyKey, request: asked.request }
    const add = (draft: Draft, added: Added) =>
      uow.in([user_id]).write((repositories) => repositories.idempotency.once(request, () => addRun(repositories, draft, added)))
    // It needs no grant: nothing is done for it. Nobody but the caller can know its id before it has ended.
    const begun = { run_id, plan, group, space, context }
    const repeat: Repeat = { draft: { ...begun, grant_id: run_id, cache }, added: { entries: [] } }
    const isAlone = asked.isFirst && request.key === undefined
    const known = await startCached(cache, asked.wanted, () => (isAlone ? this.#repeat(repeat) : add(repeat.draft, repeat.added)))
    if (known) {
      const { entries } = repeat.added
      this.#endStopped(repeat.added, user_id)
      return { ...known, ...(entries.length > 0 ? { entries: [...entries] } : {}) }
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

  async #repeat(repeat: Repeat): Promise<Started | undefined> {
    await this.#repeats.add(repeat)
    return repeat.started
  }

  #addRepeats(repeats: readonly Repeat[]): Promise<void> {
    const spaces = [...new Set(repeats.map(({ draft }) => draft.context.caller.user_id))]
    return this.#parts.uow.in(spaces).write((repositories) => addRepeats(repositories, repeats))
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

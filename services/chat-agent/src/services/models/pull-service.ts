import type { ModelPull, NewModelPull } from '@youworker/contracts/agent/model-backends'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { AppError } from '@youworker/contracts/errors'
import type { ModelPullRow } from '@youworker/database/owners/chat-agent/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import { detached } from '@youworker/runtime/current-request'
import { newId } from '@youworker/runtime/id'
import type { Logger } from '@youworker/runtime/logger'
import { ModelError } from '@youworker/runtime/model-error'
import { cleanText } from '@youworker/runtime/text/text'
import type { z } from 'zod'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import { asRoot } from './as-root.ts'
import type { Backend } from './backend.ts'
import { backendNotFound } from './backend-admin.ts'
import type { BackendRegistry } from './backend-registry.ts'
import type { PullProgress } from './model-port.ts'

interface Parts {
  readonly uow: ChatAgentUnitOfWork
  readonly registry: BackendRegistry
  readonly logger: Logger
}

const BEAT_MS = 1_000
const LONGEST_MS = 12 * 3_600_000
/** Without a word of Ollama, which says several a second. */
const SILENT_MS = 5 * 60_000
const MOST = 4
const MAX_ERROR = 1_000
const HELP =
  'Look up its name at https://ollama.com/library, and whether the machine of Ollama has a network and room on its disk.'
const STOPPED = 'The agent was stopped. Pull the model again: Ollama keeps what it has got.'

/** Nobody watches any more, or it was cancelled. */
class Cancelled extends Error {}

/** Lets Ollama get models, each for somebody who watches. */
export class PullService implements AsyncDisposable {
  readonly #parts: Parts
  readonly #running = new Map<Promise<void>, AbortController>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async start({ model, backend_id }: z.output<typeof NewModelPull>, context: UserContext): Promise<ModelPull> {
    const { uow } = this.#parts
    const id = newId()
    const { user_id } = context.caller
    const request = {
      user_id,
      subject: chatAgent.startModelPull.subject,
      key: context.idempotencyKey,
      request: { model, backend_id },
    }
    const act = { action: 'model-pull.start', target_type: 'model_pull', target_id: id } as const
    let begun: (() => void) | undefined
    const row = await asRoot(uow, act, context, async ({ modelPulls, idempotency }) => {
      const made = await idempotency.once(request, async () => {
        const backend = this.#backendFor(backend_id)
        await modelPulls.sweep()
        if ((await modelPulls.countRunning()) >= MOST)
          throw new AppError('CONFLICT', `${MOST} models are being pulled already; wait until one has come`)
        const pull = await modelPulls.add({ id, backend_id: backend.spec.id, model })
        if (!pull) throw new AppError('CONFLICT', 'This model is being pulled there already; wait until it has come')
        begun = () => this.#begin(pull, backend)
        return { pull_id: id }
      })
      return found(await modelPulls.find(made.pull_id))
    })
    begun?.()
    return toPull(row)
  }

  async get(id: string, { caller }: UserContext): Promise<ModelPull> {
    requireRoot(caller)
    const row = await this.#parts.uow.in([]).write(async ({ modelPulls }) => {
      await modelPulls.sweep()
      await modelPulls.watch(id)
      return found(await modelPulls.find(id))
    })
    return toPull(row)
  }

  async cancel(id: string, { caller }: UserContext): Promise<ModelPull> {
    requireRoot(caller)
    const row = await this.#parts.uow.in([]).write(async ({ modelPulls }) => {
      await modelPulls.end(id, CANCELLED)
      return found(await modelPulls.find(id))
    })
    return toPull(row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#running.values()) stop.abort(new AppError('SERVICE_UNAVAILABLE', STOPPED))
    await Promise.all(this.#running.keys())
  }

  #backendFor(id: string | undefined): Backend {
    const { enabled } = this.#parts.registry
    if (id !== undefined) {
      const named = enabled.find(({ spec }) => spec.id === id)
      if (!named) throw backendNotFound()
      if (!named.port.pull)
        throw refusal(`${named.spec.name} speaks OpenAI's protocol, which cannot pull: start that server with the model`)
      return named
    }
    const able = enabled.filter(({ port }) => port.pull)
    const [one, another] = able
    if (!one) throw refusal('There is no Ollama that could pull a model; add one with POST /v1/admin/models/backends')
    if (another) throw refusal(`Which Ollama? Name one: ${able.map(({ spec }) => `${spec.id} (${spec.name})`).join(', ')}`)
    return one
  }

  #begin(pull: ModelPullRow, backend: Backend): void {
    const stop = new AbortController()
    const done = detached(() => this.#run(pull, backend, stop)).finally(() => this.#running.delete(done))
    this.#running.set(done, stop)
  }

  async #run({ id, model }: ModelPullRow, backend: Backend, stop: AbortController): Promise<void> {
    const { uow, logger } = this.#parts
    const ending = await this.#pull({ id, model }, backend, stop).then(
      () => ({ status: 'success', error: null }) as const,
      (error: unknown) => endingOf(error, backend.spec.name),
    )
    if (ending.status === 'success') {
      backend.forget(model)
      await backend.check().catch(() => {})
    }
    await uow
      .in([])
      .write(({ modelPulls }) => modelPulls.end(id, ending))
      .catch((error: unknown) => logger.warn({ err: error, pull: id }, 'the end of a pull could not be stored'))
    logger.info({ pull: id, model, backend: backend.spec.name, status: ending.status }, 'a pull has ended')
  }

  async #pull({ id, model }: Pick<ModelPullRow, 'id' | 'model'>, { port }: Backend, stop: AbortController): Promise<void> {
    const { uow } = this.#parts
    let latest: PullProgress = { stage: '', completed: 0, total: 0 }
    const beat = async () => {
      const goesOn = await uow.in([]).write(({ modelPulls }) => modelPulls.progress(id, latest))
      if (!goesOn) stop.abort(new Cancelled())
    }
    const late = (what: string) => () => stop.abort(new AppError('DEADLINE_EXCEEDED', `Ollama ${what}. ${HELP}`))
    const silence = setTimeout(late('has said nothing for 5 minutes'), SILENT_MS)
    const whole = setTimeout(late('did not come to an end in 12 hours'), LONGEST_MS)
    // Without its database the next one tells, or who watches is told that the pull is lost.
    const beats = setInterval(() => void beat().catch(() => {}), BEAT_MS)
    try {
      for await (const progress of port.pull?.(model, stop.signal) ?? []) {
        latest = progress
        silence.refresh()
      }
      await beat()
    } finally {
      clearInterval(beats)
      clearTimeout(silence)
      clearTimeout(whole)
    }
  }
}

const CANCELLED = { status: 'cancelled', error: null } as const

function endingOf(error: unknown, backend: string) {
  if (error instanceof Cancelled) return CANCELLED
  const said = error instanceof ModelError && error.said ? ` It said: ${error.said}.` : ''
  const text = error instanceof ModelError ? `Ollama (${backend}) did not get the model.${said} ${HELP}` : messageOf(error)
  return { status: 'failed', error: cleanText(text, { lines: 'join', max: MAX_ERROR, mark: '…' }) } as const
}

const messageOf = (error: unknown): string =>
  error instanceof AppError ? error.message : 'Something went wrong inside; the log of chat-agent has it. Try again.'

const refusal = (message: string): AppError =>
  new AppError('VALIDATION_ERROR', message, { details: [{ field: 'backend_id', message }] })

function requireRoot({ is_root }: UserContext['caller']): void {
  if (!is_root) throw new AppError('NOT_AUTHORIZED', 'Only root may do this.')
}

function found(row: ModelPullRow | undefined): ModelPullRow {
  if (row) return row
  throw new AppError('TASK_NOT_FOUND', 'There is no such pull, or it ended more than a day ago')
}

const toPull = ({ watched_until: _watched, ...pull }: ModelPullRow): ModelPull => pull

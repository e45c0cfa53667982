import type { QdrantClient } from '@qdrant/js-client-rest'
import { AppError } from '@youworker/contracts/errors'
import { currentRequest } from '@youworker/runtime/current-request'
import { createBreaker } from '@youworker/runtime/timing/breaker'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { traced } from '@youworker/runtime/tracing/span'
import type { z } from 'zod'
import { notQdrant, QdrantError, qdrantError } from './qdrant-error.ts'

export interface QdrantOptions {
  readonly url: string
  readonly apiKey?: string | undefined
}

/** Longest waits, in ms. A request that has less time waits no longer than that. */
const LIMITS = { read: 10_000, write: 30_000 } as const
/** Connections of this process; more requests wait for one. */
const CONNECTIONS = 16
/** Less time than that says nothing of Qdrant when it is over. In ms. */
const SILENCE = 3_000

export type QdrantCalls = ReturnType<QdrantClient['api']>

interface CallContext {
  readonly init: RequestInit
  /** For Qdrant, which then ends what nobody waits for any more. In s. */
  readonly timeout: number
}

type Send = (calls: QdrantCalls, context: CallContext) => Promise<{ readonly data: unknown }>

/**
 * Calls of Qdrant's REST API through its own client: each with a deadline, its answer checked. Reading and writing have a breaker each, so
 * that a Qdrant that cannot write is still searched.
 */
export class QdrantApi {
  readonly #options: QdrantOptions
  readonly #breakers = {
    read: createBreaker({ target: 'The search index (Qdrant)', isFailure }),
    write: createBreaker({ target: 'Writing to the search index (Qdrant)', isFailure }),
  }
  #calls: Promise<QdrantCalls> | undefined

  constructor(options: QdrantOptions) {
    this.#options = options
  }

  /** Without a user, a password or a path. */
  get url(): string {
    return new URL(this.#options.url).origin
  }

  read<T>(name: string, answer: z.ZodType<T>, send: Send): Promise<T> {
    return this.#breakers.read.run(() => this.#call('read', name, answer, send))
  }

  write<T>(name: string, answer: z.ZodType<T>, send: Send): Promise<T> {
    return this.#breakers.write.run(() => this.#call('write', name, answer, send))
  }

  /** For health: asks in any case. When it answers, the breakers are closed. */
  probe<T>(name: string, answer: z.ZodType<T>, send: Send): Promise<T> {
    const { read, write } = this.#breakers
    return write.probe(() => read.probe(() => this.#call('read', name, answer, send)))
  }

  [Symbol.dispose](): void {
    this.#breakers.read[Symbol.dispose]()
    this.#breakers.write[Symbol.dispose]()
  }

  #call<T>(kind: keyof typeof LIMITS, name: string, answer: z.ZodType<T>, send: Send): Promise<T> {
    const attributes = { 'db.system.name': 'qdrant', 'db.operation.name': name }
    return traced({ kind: 'client', name: `qdrant ${name}`, attributes }, () => this.#send(kind, answer, send))
  }

  async #send<T>(kind: keyof typeof LIMITS, answer: z.ZodType<T>, send: Send): Promise<T> {
    const left = timeLeft()
    if (left <= 0) throw new AppError('DEADLINE_EXCEEDED', 'There was no time left to ask the search index; try again')
    const limit = Math.min(LIMITS[kind], left)
    const signal = AbortSignal.timeout(limit)
    const { traceparent } = currentRequest()
    const init: RequestInit = { signal, ...(traceparent === undefined ? {} : { headers: { traceparent } }) }
    const calls = await (this.#calls ??= openClient(this.#options))
    let result: unknown
    try {
      const { data } = await send(calls, { init, timeout: Math.max(1, Math.ceil(limit / 1_000)) })
      result = typeof data === 'object' && data !== null && 'result' in data ? data.result : data
    } catch (error) {
      if (signal.aborted && limit < SILENCE) throw outOfTime(error)
      throw qdrantError(error, this.url, signal.aborted ? limit : undefined)
    }
    const read = answer.safeParse(result)
    if (!read.success) throw notQdrant(this.url, read.error)
    return read.data
  }
}

const outOfTime = (cause: unknown) =>
  new AppError('DEADLINE_EXCEEDED', 'The search index (Qdrant) did not answer in the time of this request; try again', { cause })

/** What it was asked, by whom and in what time is no failure of Qdrant. */
const isFailure = (error: unknown): boolean => error instanceof QdrantError && error.isDown

/** The library reads no path from an address and puts its own port for that of the scheme. */
async function openClient({ url, apiKey }: QdrantOptions): Promise<QdrantCalls> {
  const { QdrantClient } = await import('@qdrant/js-client-rest')
  const { protocol, hostname, port, pathname } = new URL(url)
  const client = new QdrantClient({
    host: hostname,
    port: port === '' ? null : Number(port),
    https: protocol === 'https:',
    prefix: pathname.replace(/\/$/, ''),
    // Deadlines are those of each call.
    timeout: Infinity,
    checkCompatibility: false,
    maxConnections: CONNECTIONS,
    headers: apiKey === undefined ? {} : { 'api-key': apiKey },
  })
  return client.api()
}

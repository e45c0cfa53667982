import type { AppError } from '@youworker/contracts/errors'
import { ownerOf, replySubject } from '@youworker/contracts/topology/subjects'
import { type Msg, type NatsConnection as CoreConnection, nuid } from 'nats'
import type { SendQueue } from '../connection/send-queue.ts'
import { TransportError, unavailable } from '../connection/transport-error.ts'
import { linesOf } from './wire.ts'

interface Connection {
  readonly core: CoreConnection
  readonly service: string
  readonly isUp: boolean
  readonly sends: SendQueue
}

interface Pending {
  readonly subject: string
  readonly advice: string
  settle(error: Error | undefined, reply?: Msg): void
}

interface RequestMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** Header lines, made by `wire.ts`. */
  readonly lines: string
  readonly waitMs: number
  /** For the error when it is sent and not answered. */
  readonly advice?: string
  readonly signal?: AbortSignal | undefined
}

/**
 * One subscription for the replies of each callee of a connection, on a subject that only this callee may publish on and that no
 * other one learns. Unlike the inbox of the library it ends every waiting request when the connection is lost or its subject is
 * refused, and can be told to stop waiting.
 */
export class ReplyInbox {
  readonly #connection: Connection
  /** By reply subject. */
  readonly #pending = new Map<string, Pending>()
  /** By callee: what its reply subjects begin with. */
  readonly #prefixes = new Map<string, string>()
  #next = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Resolves to the reply, which may carry an error. Rejects with a `TransportError` when there is none and with the signal's
   * reason when it aborts.
   */
  request({ subject, data, lines, waitMs, signal, advice = 'try again' }: RequestMessage): Promise<Msg> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const { core, isUp, sends } = this.#connection
      if (!isUp || core.isClosed()) return reject(unavailable('The connection to NATS is lost; try again', 'unsent'))
      const reply = `${this.#prefixOf(ownerOf(subject))}${(this.#next += 1).toString(36)}`
      const onAbort = () => settle(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
      const settle = (error: Error | undefined, message?: Msg) => {
        if (!this.#pending.delete(reply)) return
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        if (message) resolve(message)
        else reject(error ?? unavailable('No reply'))
      }
      const timer = setTimeout(() => settle(late(subject, waitMs, advice)), waitMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#pending.set(reply, { subject, advice, settle })
      sends.add(() => {
        if (!this.#pending.has(reply)) return
        try {
          core.publish(subject, data, { reply, headers: linesOf(lines) })
        } catch (cause) {
          const message = 'The request could not be sent; try again'
          settle(new TransportError('unsent', 'SERVICE_UNAVAILABLE', message, { cause, retryAfter: 1 }))
        }
      })
    })
  }

  connectionLost(): void {
    for (const pending of this.#pending.values()) {
      pending.settle(unavailable(`The connection to NATS was lost; ${pending.advice}`))
    }
  }

  publishRefused(subject: string): void {
    for (const pending of this.#pending.values()) {
      if (pending.subject !== subject) continue
      pending.settle(
        unavailable(`NATS does not let ${this.#connection.service} send to ${subject}; generate nats.conf again`, 'refused'),
      )
    }
  }

  #prefixOf(callee: string): string {
    const known = this.#prefixes.get(callee)
    if (known !== undefined) return known
    const { core, service } = this.#connection
    const inbox = replySubject(service, callee, nuid.next())
    this.#prefixes.set(callee, `${inbox}.`)
    core.subscribe(`${inbox}.*`, { callback: (error, reply) => (error ? this.#inboxRefused(callee) : this.#receive(reply)) })
    return `${inbox}.`
  }

  #receive(reply: Msg): void {
    const pending = this.#pending.get(reply.subject)
    if (!pending) return
    if (isNoResponders(reply)) pending.settle(unavailable(`Nobody serves ${pending.subject} at the moment; try again`, 'unsent'))
    else pending.settle(undefined, reply)
  }

  #inboxRefused(callee: string): void {
    this.#prefixes.delete(callee)
    const message = `NATS does not let ${this.#connection.service} receive the replies of ${callee}; generate nats.conf again`
    for (const pending of this.#pending.values()) {
      if (ownerOf(pending.subject) === callee) pending.settle(unavailable(message, 'refused'))
    }
  }
}

/** The library parses headers on first use and throws on malformed ones; thrown in a callback that would end the connection. */
function isNoResponders(reply: Msg): boolean {
  try {
    return reply.headers?.code === 503 && reply.data.length === 0
  } catch {
    return false
  }
}

/** A timeout counts against the peer only when it had this long to reply. */
const FAIR_MS = 1_000

function late(subject: string, waitMs: number, advice: string): AppError {
  const message = `${subject} did not answer in ${Math.round(waitMs)} ms; ${advice}`
  return new TransportError(waitMs < FAIR_MS ? 'hurried' : 'late', 'DEADLINE_EXCEEDED', message, { retryAfter: 1 })
}

import { setTimeout as sleep } from 'node:timers/promises'
import { ownerOf, replySubject } from '@youworker/contracts/topology/subjects'
import { newId } from '@youworker/runtime/id'
import { connect, type ConnectionOptions, headers, type Msg, type NatsConnection } from 'nats'

export interface RawReply {
  /** `undefined` when the request succeeded. */
  readonly code: string | undefined
  readonly message: string | undefined
  // Each test knows the shape of the reply.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/** Connects as one of the system's NATS users, without any of our own messaging code. */
export class RawNats implements AsyncDisposable {
  readonly core: NatsConnection
  /** Permission errors from the server, as `publish rpc.…` or `subscription runs.*`. */
  readonly refusals: string[] = []

  readonly #user: string

  private constructor(core: NatsConnection, user: string) {
    this.core = core
    this.#user = user
    void this.#watch()
  }

  static async connect(url: string, options: ConnectionOptions = {}): Promise<RawNats> {
    const { host, username, password } = new URL(url)
    const credentials = { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
    return new RawNats(
      await connect({ servers: host, ...credentials, inboxPrefix: `_INBOX.${username}`, maxReconnectAttempts: 0, ...options }),
      credentials.user,
    )
  }

  async #watch(): Promise<void> {
    for await (const { permissionContext } of this.core.status()) {
      if (permissionContext) this.refusals.push(`${permissionContext.operation} ${permissionContext.subject}`)
    }
  }

  /** Sends a request. The reply goes where the service that owns the subject may publish. Rejects when none replies. */
  async request(subject: string, payload: string | Uint8Array, lines: Record<string, string> = {}): Promise<RawReply> {
    const reply = replySubject(this.#user, ownerOf(subject), newId())
    const all = headers()
    for (const [name, value] of Object.entries(lines)) all.set(name, value)
    const replies = this.core.subscribe(reply, { max: 1, timeout: 8_000 })
    this.core.publish(subject, payload, { headers: all, reply })
    for await (const message of replies) {
      if (message.headers?.code === 503) throw new Error(`nobody serves ${subject}`)
      return readReply(message)
    }
    throw new Error(`no reply from ${subject}`)
  }

  /** Publishes and returns whether the server refused it. */
  async isPublishRefused(subject: string, payload = '{}'): Promise<boolean> {
    const before = this.refusals.length
    this.core.publish(subject, payload)
    return this.#isRefused(`publish ${subject}`, before)
  }

  async isSubscriptionRefused(subject: string): Promise<boolean> {
    const before = this.refusals.length
    const subscription = this.core.subscribe(subject, { callback: () => {} })
    const refused = await this.#isRefused(`subscription ${subject}`, before)
    if (!refused) subscription.unsubscribe()
    return refused
  }

  /** The server says no before it answers the ping that follows. */
  async #isRefused(what: string, before: number): Promise<boolean> {
    await this.core.flush()
    await sleep(0)
    return this.refusals.slice(before).includes(what)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.core.close()
  }
}

function readReply(message: Msg): RawReply {
  const code = message.headers?.get('Error-Code') || undefined
  const body = message.data.length === 0 ? undefined : message.json<RawReply['body']>()
  return { code, message: code === undefined ? undefined : body.message, body }
}

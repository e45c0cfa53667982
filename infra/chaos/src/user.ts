import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Done } from '@youworker/contracts/agent/run-log'
import type { ServiceName } from '@youworker/contracts/topology/topology'

export interface Tally {
  requests: number
  failed: number
  chats: number
  degraded: number
  /** How often a stream ended early and was resumed. */
  resumed: number
  readonly reasons: Map<string, number>
}

export const newTally = (): Tally => ({ requests: 0, failed: 0, chats: 0, degraded: 0, resumed: 0, reasons: new Map() })

interface Options {
  readonly api: string
  readonly key: string
  /** A question, and what each whole answer to it contains. */
  readonly question: string
  readonly expected: string
  readonly random: () => number
  readonly stop: AbortSignal
  readonly focus: () => ServiceName
  /** Counts what ends now. */
  readonly tally: () => Tally
}

type Work = (user: User) => Promise<void>

const PAUSE_MS = 200
const VISIT = 8
const GIVE_UP_MS = 30_000
const MAX_RESUMES = 20
const json = (body: unknown) => ({ type: 'application/json', body: JSON.stringify(body) })

const me: Work = (user) => user.ask('GET', '/v1/auth/me')
const groups: Work = (user) => user.ask('GET', '/v1/groups')
const overview: Work = (user) => user.ask('GET', '/v1/analytics/overview?days=7')
const session: Work = (user) => user.ask('POST', '/v1/sessions', json({ title: 'scale' }))
const search: Work = (user) => user.ask('POST', '/v1/search', json({ query: 'anything' }))
const upload: Work = (user) => user.upload()
const chat: Work = (user) => user.chat()

/** What a user does, each as often as it stands here. */
const USUAL: readonly Work[] = [me, me, groups, groups, overview, overview, session, search, upload, chat, chat]
/** What a user does more often while a service is looked at. */
const WORK_FOR: Readonly<Record<ServiceName, readonly Work[]>> = {
  gateway: USUAL,
  auth: [me],
  group: [groups],
  'chat-agent': [chat],
  ingestion: [upload, upload, search],
  analytics: [overview],
  tools: [chat],
}

/** Comes with connections of its own, does a few things, leaves, and comes again. */
export class User {
  readonly #options: Options
  #agent = new Agent({ keepAlive: true })

  constructor(options: Options) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { stop, random, focus } = this.#options
    while (!stop.aborted) {
      for (let n = 0; n < VISIT && !stop.aborted; n += 1) {
        const works = random() < 0.5 ? USUAL : WORK_FOR[focus()]
        await works[Math.floor(random() * works.length)]?.(this)
        await sleep(PAUSE_MS * random() * 2)
      }
      this.#agent.destroy()
      this.#agent = new Agent({ keepAlive: true })
    }
    this.#agent.destroy()
  }

  async ask(method: string, path: string, body?: { readonly type: string; readonly body: string }): Promise<void> {
    await this.#counted(`${method} ${path}`, async () => {
      const response = await this.#send(method, path, body)
      const text = (await response.toArray()).join('')
      return isWell(response) ? undefined : `${response.statusCode} ${text.slice(0, 200)}`
    })
  }

  async upload(): Promise<void> {
    const mark = crypto.randomUUID()
    const parts = [
      ['wait"', 'false'],
      [`files"; filename="${mark}.md"`, `# Note\n\n${mark}`],
    ].map(([name, value]) => `--${mark}\r\ncontent-disposition: form-data; name="${name}\r\n\r\n${value}\r\n`)
    await this.ask('POST', '/v1/ingest/upload', {
      type: `multipart/form-data; boundary=${mark}`,
      body: `${parts.join('')}--${mark}--`,
    })
  }

  /** Reads the whole answer, resuming its stream as a client does. */
  async chat(): Promise<void> {
    const answer = new Answer()
    await this.#counted('POST /v1/chat', async () => {
      const response = await this.#send('POST', '/v1/chat', json({ text_input: this.#options.question }))
      if (!isWell(response)) return `${response.statusCode}`
      await answer.read(response)
      return answer.runId === undefined ? 'the stream ended without a run' : undefined
    })
    for (let n = 0; answer.runId !== undefined && answer.done === undefined && n < MAX_RESUMES; n += 1) {
      this.#options.tally().resumed += 1
      await sleep(answer.retryMs * this.#options.random())
      await this.#counted('GET /v1/runs/{id}/events', async () => {
        const response = await this.#send('GET', `/v1/runs/${answer.runId}/events`, undefined, { 'last-event-id': answer.lastId })
        if (!isWell(response)) return `${response.statusCode}`
        await answer.read(response)
        return undefined
      })
    }
    const tally = this.#options.tally()
    tally.chats += 1
    const fault = answer.faultIn(this.#options.expected)
    if (fault === undefined) return
    tally.degraded += 1
    note(tally, `chat: ${fault}`)
  }

  /** `work` resolves to what is wrong with the answer. */
  async #counted(what: string, work: () => Promise<string | undefined>): Promise<void> {
    const fault = await work().catch((error: unknown) => String(error))
    const tally = this.#options.tally()
    tally.requests += 1
    if (fault === undefined) return
    tally.failed += 1
    note(tally, `${what}: ${fault}`)
  }

  async #send(
    method: string,
    path: string,
    body?: { readonly type: string; readonly body: string },
    more: Record<string, string> = {},
  ): Promise<IncomingMessage> {
    const { api, key } = this.#options
    const headers = { 'x-api-key': key, ...(body ? { 'content-type': body.type } : {}), ...more }
    const sent = request(`${api}${path}`, { method, agent: this.#agent, headers, signal: AbortSignal.timeout(GIVE_UP_MS) })
    sent.end(body?.body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return response.setEncoding('utf8')
  }
}

const isWell = ({ statusCode = 0 }: IncomingMessage): boolean => statusCode >= 200 && statusCode < 300

function note({ reasons }: Tally, reason: string): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
}

/** An answer as it comes, over one stream or several. */
class Answer {
  runId: string | undefined
  lastId = '0'
  retryMs = 1_000
  done: Done | undefined
  #text = ''

  async read(stream: AsyncIterable<string>): Promise<void> {
    let pending = ''
    for await (const chunk of stream) {
      const blocks = (pending + chunk).split('\n\n')
      pending = blocks.pop() ?? ''
      for (const block of blocks) this.#take(block)
    }
  }

  /** What is wrong with the whole answer, if anything. */
  faultIn(expected: string): string | undefined {
    const { done } = this
    if (!done) return 'no end'
    if (done.metadata.status !== 'success') return `${done.metadata.status} ${done.metadata.error ?? ''}`
    if (this.#text !== done.content) return 'the text of the stream is not the answer'
    if (!done.content.includes(expected) || done.citations.length === 0) return 'the answer is not from the document'
    const [bad] = done.logs.filter(({ level }) => level !== 'info')
    return bad?.msg
  }

  #take(block: string): void {
    const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]
    this.lastId = field('id') ?? this.lastId
    this.retryMs = Number(field('retry') ?? this.retryMs)
    const data = field('data')
    if (data === undefined) return
    // The gateway's own events, as the contract says.
    const value = JSON.parse(data)
    const event = field('event')
    if (event === 'run') this.runId = value.run_id
    else if (event === 'token') this.#text += value.text
    else if (event === 'rewind') this.#text = this.#text.slice(0, value.offset)
    else if (event === 'done') this.done = value
  }
}

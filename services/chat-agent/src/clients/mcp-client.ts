import { AsyncLocalStorage } from 'node:async_hooks'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { SEARCH_SCOPE, TOOL_AWAY, TOOL_CALL_KEY } from '@youworker/contracts/agent/tool-servers'
import { isUnreached } from '@youworker/runtime/connection-error'
import { currentRequest } from '@youworker/runtime/current-request'
import type { Logger } from '@youworker/runtime/logger'
import { createBreaker, type Breaker } from '@youworker/runtime/timing/breaker'
import { boundedBody } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import { innerMessage } from '@youworker/runtime/text/inner-text'
import { cleanText } from '@youworker/runtime/text/text'
import { traced } from '@youworker/runtime/tracing/span'
import { z } from 'zod'
import { CancelNotices } from './cancel-notices.ts'
import { ClientHolder } from './client-holder.ts'
import { ownWords, textsIn } from '../services/models/own-words.ts'
import type { McpServer } from '../services/tools/mcp-servers.ts'
import { cleanSchema } from '../services/tools/tool-schema.ts'
import {
  type ToolCallContent,
  type ToolConnection,
  type ToolDescription,
  ToolError,
  type ToolFailure,
  type ToolPort,
  type ToolResult,
} from '../services/tools/tool-port.ts'

const CONNECT_MS = 5_000
const MAX_TOOLS = 128
/** What models accept as a name; tools with another one are not offered. */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,64}$/
const MAX_DESCRIPTION = 1_024
/** Bytes of one HTTP answer of a server. */
const MAX_ANSWER = 1024 * 1024
/** UTF-16 units of a result. */
const MAX_TEXT = 64 * 1024
const CUT = `\n(cut: the result has more than ${MAX_TEXT} characters)`
/** The SDK's own limit of a call. The signal of a call ends earlier. */
const SDK_TIMEOUT_MS = 900_000

const TextPart = z.object({ type: z.literal('text'), text: z.string() })

/** MCP servers over streamable HTTP (MCP specification 2025-06-18, Transports). The SDK is loaded at first use. */
export function createMcpPort(logger: Logger): ToolPort {
  const breakers = new Map<string, Breaker>()
  const breakerOf = (server: string): Breaker => {
    const breaker = breakers.get(server) ?? createBreaker({ target: `The tool server ${server}` })
    breakers.set(server, breaker)
    return breaker
  }
  const shared = new Map<string, ClientHolder<Client>>()
  const holderOf = ({ name, own }: McpServer): ClientHolder<Client> => {
    const holder = (own ? shared.get(name) : undefined) ?? new ClientHolder<Client>(own)
    if (own) shared.set(name, holder)
    return holder
  }
  const connect = (server: McpServer, token: (() => Promise<string>) | undefined) =>
    new McpConnection({ server, token, breaker: breakerOf(server.name), holder: holderOf(server), logger })
  return { connect, answers }
}

interface Sender {
  readonly bearer: string | undefined
  /** Of a call, whose HTTP request ends with it: the SDK only tells the server, which may have no session to find the call in. */
  readonly signal?: AbortSignal
}

/** Who makes the request that is sent over a shared client. What the SDK sends by itself belongs to no run. */
const sender = new AsyncLocalStorage<Sender>()

const loadSdk = () =>
  Promise.all([import('@modelcontextprotocol/sdk/client/index.js'), import('@modelcontextprotocol/sdk/client/streamableHttp.js')])

async function answers({ url }: McpServer, signal: AbortSignal): Promise<boolean> {
  await loadSdk()
  const asked = fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', signal })
  return asked.then(
    async (response) => {
      await response.body?.cancel()
      return !AWAY.includes(response.status)
    },
    () => false,
  )
}

interface ConnectionParts {
  readonly server: McpServer
  readonly token: (() => Promise<string>) | undefined
  readonly breaker: Breaker
  readonly holder: ClientHolder<Client>
  readonly logger: Logger
}

interface McpCall {
  readonly method: 'tools/list' | 'tools/call'
  readonly tool?: string
  readonly args?: Record<string, unknown>
  readonly signal: AbortSignal
}

class McpConnection implements ToolConnection {
  readonly #server: McpServer
  readonly #token: (() => Promise<string>) | undefined
  readonly #breaker: Breaker
  readonly #holder: ClientHolder<Client>
  readonly #logger: Logger
  readonly #notices = new CancelNotices()
  #bearer: string | undefined
  /** Whether the next request finds a connection and a token that are new. */
  #prepared: Promise<boolean> | undefined

  constructor({ server, token, breaker, holder, logger }: ConnectionParts) {
    this.#server = server
    this.#token = token
    this.#breaker = breaker
    this.#holder = holder
    this.#logger = logger
  }

  listTools(signal: AbortSignal): Promise<ToolDescription[]> {
    return this.#request({ method: 'tools/list', signal }, async (client) => {
      const { tools } = await client.listTools(undefined, { signal })
      const usable = tools.flatMap(({ name, description, inputSchema, annotations }): ToolDescription[] => {
        const parameters = cleanSchema(inputSchema)
        if (!TOOL_NAME.test(name) || parameters === undefined) return []
        const read_only = annotations?.readOnlyHint === true
        const idempotent = read_only || annotations?.idempotentHint === true
        return [{ name, description: cleanText(description ?? '', { max: MAX_DESCRIPTION }), parameters, idempotent, read_only }]
      })
      const left = tools.length - Math.min(usable.length, MAX_TOOLS)
      if (left > 0)
        this.#logger.warn({ server: this.#server.name, left }, 'tools with bad names or too large schemas are not offered')
      return usable.slice(0, MAX_TOOLS)
    })
  }

  call(name: string, { args, id, scope }: ToolCallContent, signal: AbortSignal): Promise<ToolResult> {
    return this.#request({ method: 'tools/call', tool: name, args, signal }, async (client) => {
      const options = { signal, timeout: SDK_TIMEOUT_MS }
      const _meta = { [TOOL_CALL_KEY]: id, ...(scope && this.#server.own ? { [SEARCH_SCOPE]: scope } : {}) }
      const answer = await client.callTool({ name, arguments: args, _meta }, undefined, options)
      const parts = Array.isArray(answer.content) ? answer.content : []
      const texts = parts.flatMap((part) => TextPart.safeParse(part).data?.text ?? [])
      return {
        text: cleanText(texts.join('\n'), { max: MAX_TEXT, mark: CUT }),
        is_error: answer.isError === true,
        is_away: this.#server.own && answer.isError === true && answer._meta?.[TOOL_AWAY] === true,
        structured: answer.structuredContent,
      }
    })
  }

  prepare(signal: AbortSignal): void {
    const connect = () => this.#breaker.run(() => settleAnswers(signal, () => this.#connected(signal)))
    this.#prepared ??= this.#renewToken()
      .then(connect)
      .then(
        (outcome) => 'value' in outcome,
        () => false,
      )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prepared
    if (!this.#holder.isShared) this.#drop()
  }

  #drop(): void {
    this.#holder.drop(() => this.#notices.sent())
  }

  #request<T>(call: McpCall, work: (client: Client) => Promise<T>): Promise<T> {
    const { method, tool } = call
    const attributes = { 'mcp.method.name': method, 'gen_ai.tool.name': tool, 'youworker.tool_server': this.#server.name }
    return traced({ kind: 'client', name: `mcp ${method}`, attributes }, () => this.#send(call, work))
  }

  async #send<T>(call: McpCall, work: (client: Client) => Promise<T>): Promise<T> {
    const { signal } = call
    signal.throwIfAborted()
    const isPrepared = await this.#prepared
    this.#prepared = undefined
    if (isPrepared !== true) await this.#renewToken()
    let client: Client | undefined
    try {
      const outcome = await this.#breaker.run(() =>
        settleAnswers(signal, async () => {
          const connected = await this.#connected(signal)
          client = connected
          return sender.run({ bearer: this.#bearer, signal }, () => work(connected))
        }),
      )
      if ('value' in outcome) return outcome.value
      throw outcome.error
    } catch (error) {
      const failure = await this.#failureOf(error, client)
      if (failure !== 'refused') this.#drop()
      signal.throwIfAborted()
      throw error instanceof ToolError ? error : await this.#toToolError(failure, error, call)
    }
  }

  /** A fresh token for each request, because it expires within minutes. Outside of the breaker: auth's failure is not the server's. */
  async #renewToken(): Promise<void> {
    try {
      this.#bearer = await this.#token?.()
    } catch (error) {
      if (!(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
      throw new ToolError('unreached', error.message, error)
    }
  }

  #connected(signal: AbortSignal): Promise<Client> {
    const timeout = AbortSignal.timeout(CONNECT_MS)
    // Others may wait for a shared one when this run is stopped.
    const until = this.#holder.isShared ? timeout : AbortSignal.any([signal, timeout])
    return this.#holder.connected(() => sender.run({ bearer: this.#bearer }, () => this.#connect(until)))
  }

  async #connect(signal: AbortSignal): Promise<Client> {
    const [sdk, http] = await loadSdk()
    const client = new sdk.Client({ name: 'youworker', version: '1.0.0' })
    const transport = new http.StreamableHTTPClientTransport(new URL(this.#server.url), { fetch: this.#fetch })
    // The SDK's own type of `sessionId` does not fit its interface under exactOptionalPropertyTypes.
    await client.connect(transport as Parameters<Client['connect']>[0], { signal, timeout: CONNECT_MS })
    return client
  }

  readonly #fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const headers = new Headers(init?.headers)
    const by = sender.getStore()
    if (by?.bearer !== undefined) headers.set('authorization', `Bearer ${by.bearer}`)
    const { correlationId } = currentRequest()
    if (this.#server.own && correlationId !== undefined) headers.set('x-correlation-id', correlationId)
    const tooLong = () => new ToolError('refused', `The tool server ${this.#server.name} sent more than ${MAX_ANSWER} bytes.`)
    const signals = [init?.signal, by?.signal].filter((signal) => signal != null)
    const answer = tracedFetch(url, { ...init, headers, signal: AbortSignal.any(signals) })
    this.#notices.watch(init?.body, answer)
    return boundedBody(await answer, MAX_ANSWER, tooLong)
  }

  /** `client` made the request; without one there was no connection. */
  async #failureOf(error: unknown, client: Client | undefined): Promise<ToolFailure> {
    if (error instanceof ToolError) return error.failure
    // The breaker is open.
    if (error instanceof AppError) return 'unreached'
    if (isAnswer(error)) return 'refused'
    const { StreamableHTTPError } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
    const status = error instanceof StreamableHTTPError ? (error.code ?? 0) : 0
    // MCP 2025-06-18, Session Management: the server was restarted and does not know the session.
    if (status === 404 && client?.transport?.sessionId !== undefined) return 'unreached'
    if (status >= 400 && !AWAY.includes(status)) return 'refused'
    return client === undefined || isUnreached(error) ? 'unreached' : 'lost'
  }

  async #toToolError(failure: ToolFailure, error: unknown, { method, tool, args }: McpCall): Promise<ToolError> {
    const { name, url } = this.#server
    const { McpError } = await import('@modelcontextprotocol/sdk/types.js')
    // Where it is, and what it said, is for the log; what it repeats of the arguments is not.
    const said = ownWords(innerMessage(error), textsIn(args))
    this.#logger.warn({ server: name, url, method, tool, failure, said }, 'a request to a tool server failed')
    const problem = error instanceof McpError ? 'refused the call.' : 'cannot be reached now; its tools are missing.'
    return new ToolError(failure, `The tool server ${name} ${problem}`, error)
  }
}

/** HTTP statuses of a server, or of a proxy before it, that may answer later. */
const AWAY: readonly number[] = [429, 502, 503, 504]

/** The SDK's codes for a lost connection and for a timeout. Errors with other codes are answers of a healthy server. */
const CONNECTION_ERRORS: readonly unknown[] = [-32_000, -32_001]

const isAnswer = (error: unknown): boolean =>
  error instanceof Error && error.name === 'McpError' && 'code' in error && !CONNECTION_ERRORS.includes(error.code)

/** Hides from the breaker the errors that are no failure of the server: a refused call, and a stop by the run. */
async function settleAnswers<T>(signal: AbortSignal, work: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  try {
    return { value: await work() }
  } catch (error) {
    const isStopped = signal.aborted && !(signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError')
    if (isStopped || isAnswer(error)) return { error }
    throw error
  }
}

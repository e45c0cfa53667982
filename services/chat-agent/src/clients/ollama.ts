import { newId } from '@youworker/runtime/id'
import { boundedBody } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import { ModelError } from '@youworker/runtime/model-error'
import { cleanText } from '@youworker/runtime/text/text'
import { LRUCache } from 'lru-cache'
import type { Model, ModelParameters } from '@youworker/contracts/agent/model'
import type { Message, Ollama, Tool } from 'ollama'
import { z } from 'zod'
import type {
  ModelChunk,
  ModelInfo,
  ModelMessage,
  ModelRequest,
  ModelServerPort,
  PullProgress,
} from '../services/models/model-port.ts'
import { checkedLines } from './checked-lines.ts'
import { ModelServer, within } from './model-server.ts'

interface OllamaOptions {
  readonly name: string
  readonly url: string
  /** Of ollama.com, or of a proxy in front of Ollama, which itself has none. */
  readonly apiKey: string | undefined
  readonly contextTokens: number
  readonly stallMs: number
}

const DESCRIBE_MS = 10_000
const CHECK_MS = 2_000
const KNOWN_MS = 60_000
const KNOWN_MODELS = 1_000
const MAX_NOTICE = 500
const MOST_PARALLEL = 10_000
/** Bytes of an answer that is not streamed. */
const MAX_ANSWER = 16 * 1024 * 1024

/** Ollama (https://github.com/ollama/ollama/blob/main/docs/api.md), or a server with the same protocol. */
export class OllamaModel implements ModelServerPort {
  readonly #options: OllamaOptions
  readonly #server: ModelServer
  readonly #capabilitiesOf = new LRUCache<string, string[]>({ max: KNOWN_MODELS, ttl: KNOWN_MS })

  constructor(options: OllamaOptions) {
    this.#options = options
    this.#server = new ModelServer({ ...options, where: `Ollama at ${options.url}` })
  }

  async describe(name: string, signal: AbortSignal): Promise<ModelInfo> {
    const shown = await this.#ask(within(DESCRIBE_MS, signal), (client) => client.show({ model: name }))
    const context = Math.min(this.#options.contextTokens, windowOf(shown.model_info))
    // Ollama before 0.6.4 does not list capabilities: then tools are offered.
    const tools = shown.capabilities?.includes('tools') ?? true
    const vision = shown.capabilities?.includes('vision')
    const { model_info: more, modified_at } = shown
    const own = { thinking: thinkingOf(shown), notice: noticeOf(more), parallel: parallelOf(more) }
    return { name, tools, vision, context, ...own, version: modified_at === undefined ? undefined : String(modified_at) }
  }

  async defaultModel(signal: AbortSignal): Promise<string> {
    const { models } = await this.#ask(within(DESCRIBE_MS, signal), (client) => client.list())
    const first = models.find(({ name }) => !isEmbedder(name)) ?? models[0]
    if (first) return first.name
    const cause = new Error(`Ollama at ${this.#options.url} lists no model`)
    throw new ModelError('unknown_model', 'There is no model yet; get one with: ollama pull llama3.2', cause)
  }

  chat(request: ModelRequest): AsyncGenerator<ModelChunk> {
    return this.#server.stream(request, async (signal) => {
      const client = await this.#client(signal)
      return chunksOf(await client.chat({ ...toRequest(request), stream: true }))
    })
  }

  async list(signal: AbortSignal): Promise<Model[]> {
    const asked = within(DESCRIBE_MS, signal)
    return this.#ask(asked, async (client) => {
      const [{ models }, running] = await Promise.all([client.list(), client.ps().catch(() => ({ models: [] }))])
      const loaded = new Set(running.models.map(({ name }) => name))
      const found = models.slice(0, KNOWN_MODELS).map(async ({ name, size, modified_at }): Promise<Model[]> => {
        const capabilities = await this.#capabilities(client, name)
        if (!capabilities.includes('completion')) return []
        const created_at = new Date(modified_at).toISOString()
        return [{ id: name, created_at, size, capabilities, loaded: loaded.has(name) }]
      })
      return (await Promise.all(found)).flat()
    })
  }

  /** Ollama before 0.6.4 lists none: then only the name tells embedding models apart. */
  async #capabilities(client: Ollama, model: string): Promise<string[]> {
    const known = this.#capabilitiesOf.get(model)
    if (known) return known
    const shown = await client.show({ model })
    const capabilities = shown.capabilities ?? (isEmbedder(model) ? ['embedding'] : ['completion'])
    this.#capabilitiesOf.set(model, capabilities)
    return capabilities
  }

  async *pull(model: string, signal: AbortSignal): AsyncGenerator<PullProgress> {
    const parts = new Map<string, { readonly completed: number; readonly total: number }>()
    const sum = (of: 'completed' | 'total') => [...parts.values()].reduce((all, part) => all + part[of], 0)
    try {
      for await (const { status, digest, total, completed } of await this.#ask(signal, (client) =>
        client.pull({ model, stream: true }),
      )) {
        if (digest) parts.set(digest, { total: total ?? 0, completed: completed ?? 0 })
        yield { stage: cleanText(status, { lines: 'join', max: MAX_NOTICE }), completed: sum('completed'), total: sum('total') }
      }
    } catch (error) {
      signal.throwIfAborted()
      throw this.#server.failure(error)
    }
  }

  close(): void {
    this.#server.close()
  }

  async check(): Promise<string[]> {
    const signal = AbortSignal.timeout(CHECK_MS)
    const { models } = await this.#server.probe(signal, async () => (await this.#client(signal)).list())
    return models.map(({ name }) => name)
  }

  #ask<T>(signal: AbortSignal, work: (client: Ollama) => Promise<T>): Promise<T> {
    return this.#server.ask(signal, async () => work(await this.#client(signal)))
  }

  #client(signal: AbortSignal): Promise<Ollama> {
    return clientFor(this.#options, this.#server, signal)
  }
}

async function* chunksOf(parts: AsyncIterable<ChatPart>): AsyncGenerator<ModelChunk> {
  for await (const part of parts) yield toChunk(part)
}

/** The library can abort a stream only once it has begun; with a client per signal a call can be aborted at any moment. */
async function clientFor({ url, apiKey }: OllamaOptions, server: ModelServer, signal: AbortSignal): Promise<Ollama> {
  const { Ollama } = await import('ollama')
  const bound: typeof fetch = async (input, init) => {
    const signals = init?.signal ? [signal, init.signal] : [signal]
    // Followed, a redirect would take the key to wherever it leads.
    const response = await tracedFetch(input, { ...init, signal: AbortSignal.any(signals), redirect: 'manual' })
    // Read here because the library prints to the console when such an answer is no JSON.
    if (!response.ok) throw await server.refusal(response)
    if (isStream(init) && response.body) return new Response(checkedLines(response.body), response)
    return boundedBody(response, MAX_ANSWER, () => server.badAnswer('it answered without end'))
  }
  return new Ollama({
    host: url,
    fetch: bound,
    ...(apiKey === undefined ? {} : { headers: { authorization: `Bearer ${apiKey}` } }),
  })
}

const isEmbedder = (name: string): boolean => /embed/i.test(name)

const isStream = (init: RequestInit | undefined): boolean => typeof init?.body === 'string' && init.body.includes('"stream":true')

function fieldOf(info: unknown, ending: string): unknown {
  const fields = info instanceof Map ? [...info.entries()] : Object.entries(info ?? {})
  return fields.find(([name]) => String(name).endsWith(ending))?.[1]
}

function noticeOf(info: unknown): string | undefined {
  const notice = fieldOf(info, 'youworker.notice')
  return typeof notice === 'string' ? cleanText(notice, { lines: 'join', max: MAX_NOTICE }) : undefined
}

/** As `noticeOf`, a field that Ollama lets a model carry. */
function parallelOf(info: unknown): number | undefined {
  const found = fieldOf(info, 'youworker.parallel')
  return typeof found === 'number' && Number.isInteger(found) && found >= 1 ? Math.min(found, MOST_PARALLEL) : undefined
}

function windowOf(info: unknown): number {
  const found = fieldOf(info, '.context_length')
  return typeof found === 'number' && found > 0 ? found : Infinity
}

/** The library's types know no property that is there and undefined. */
const defined = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }

function toRequest({ model, messages, tools, parameters }: ModelRequest) {
  const { format, max_tokens, think, keep_alive, num_ctx = Infinity, ...options } = parameters
  return {
    model: model.name,
    messages: messages.map(toMessage),
    ...(tools.length > 0 ? { tools: tools.map((tool): Tool => ({ type: 'function', function: { ...tool } })) } : {}),
    ...defined({ format, keep_alive, think: think && thinkFor(think, model) }),
    options: defined({ ...options, num_predict: max_tokens, num_ctx: Math.min(model.context, num_ctx) }),
  }
}

const Thinking = z.object({
  capabilities: z.array(z.string()).optional(),
  /** Since about version 0.30. */
  thinking: z.object({ values: z.array(z.union([z.boolean(), z.string()])) }).optional(),
})

function thinkingOf(shown: unknown): ModelInfo['thinking'] {
  const { data } = Thinking.safeParse(shown)
  return data?.thinking?.values ?? (data?.capabilities?.includes('thinking') ? undefined : [])
}

/** The nearest that the model takes; `undefined` leaves it to the model. One that does not think would refuse any. */
function thinkFor(wanted: NonNullable<ModelParameters['think']>, { thinking }: ModelInfo) {
  const nearest = wanted === 'off' ? ([false, 'low'] as const) : ([wanted, true] as const)
  return thinking === undefined ? nearest[0] : nearest.find((value) => thinking.includes(value))
}

function toMessage(message: ModelMessage): Message {
  if (message.role === 'user') {
    const { content, images } = message
    return { role: 'user', content, ...(images?.length ? { images: images.map(({ data }) => data) } : {}) }
  }
  if (message.role !== 'assistant') return { ...message }
  const calls = message.tool_calls?.map((call) => ({ function: { name: call.name, arguments: call.arguments } }))
  return { role: 'assistant', content: message.content, ...(calls ? { tool_calls: calls } : {}) }
}

interface ChatPart {
  readonly message?: Message
  readonly done: boolean
  readonly done_reason?: string
  readonly prompt_eval_count?: number
  readonly eval_count?: number
}

function toChunk({ message, done, done_reason, prompt_eval_count, eval_count }: ChatPart): ModelChunk {
  const tool_calls = (message?.tool_calls ?? []).map(({ function: { name, arguments: args } }) => ({
    name: name || `unnamed_${newId()}`,
    arguments: typeof args === 'object' && args !== null ? args : {},
  }))
  const text = { text: message?.content ?? '', thinking: message?.thinking ?? '', tool_calls }
  if (!done) return text
  const finish = done_reason === 'stop' || done_reason === 'length' ? done_reason : undefined
  return { ...text, finish, usage: { tokens_in: prompt_eval_count, tokens_out: eval_count } }
}

import type { Image, Model } from '@youworker/contracts/agent/model'
import { boundedBody } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import { newId } from '@youworker/runtime/id'
import { ModelError } from '@youworker/runtime/model-error'
import { z } from 'zod'
import { readArguments } from '../services/tools/tool-arguments.ts'
import type { ModelChunk, ModelInfo, ModelMessage, ModelRequest, ModelServerPort } from '../services/models/model-port.ts'
import { ModelServer, within } from './model-server.ts'
import { eventData } from './event-data.ts'

interface OpenAiOptions {
  readonly name: string
  /** With its version, as https://host/v1. */
  readonly url: string
  readonly apiKey: string | undefined
  readonly contextTokens: number
  readonly stallMs: number
}

const ASK_MS = 10_000
const CHECK_MS = 2_000
const KNOWN_MS = 60_000
/** Bytes of an answer that is not streamed. */
const MAX_ANSWER = 16 * 1024 * 1024

const Listed = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      created: z.number().optional(),
      /** vLLM's. */
      max_model_len: z.number().nullish(),
      /** llama.cpp's. */
      meta: z.object({ n_ctx_train: z.number().nullish() }).nullish(),
    }),
  ),
})
type ListedModel = z.infer<typeof Listed>['data'][number]

const Count = z.number().int().min(0).nullish()
const Part = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            /** vLLM, llama.cpp and others. */
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
            tool_calls: z
              .array(
                z.object({
                  index: z.number().int().min(0).max(1_000).default(0),
                  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
                }),
              )
              .nullish(),
          })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .default([]),
  usage: z.object({ prompt_tokens: Count, completion_tokens: Count }).nullish(),
  error: z.union([z.string(), z.object({ message: z.string().default('') })]).nullish(),
})
type Part = z.infer<typeof Part>

/** Any server with OpenAI's chat completions: vLLM, llama.cpp, LM Studio, a hosted one. */
export class OpenAiModel implements ModelServerPort {
  readonly #options: OpenAiOptions
  readonly #server: ModelServer
  #known: { readonly models: readonly ListedModel[]; readonly until: number } | undefined

  constructor(options: OpenAiOptions) {
    this.#options = options
    this.#server = new ModelServer({ ...options, where: `the model server at ${options.url}` })
  }

  async describe(name: string, signal: AbortSignal): Promise<ModelInfo> {
    const found = (await this.#models(signal)).find(({ id }) => id === name)
    if (!found) throw this.#unknown(name)
    const window = found.max_model_len ?? found.meta?.n_ctx_train ?? Infinity
    return { name, tools: true, context: Math.min(this.#options.contextTokens, window) }
  }

  async defaultModel(signal: AbortSignal): Promise<string> {
    const first = (await this.#models(signal)).find(({ id }) => !/embed/i.test(id))
    if (!first) throw this.#unknown('any model')
    return first.id
  }

  chat(request: ModelRequest): AsyncGenerator<ModelChunk> {
    return this.#server.stream(request, async (signal) => {
      const response = await this.#fetch('/chat/completions', signal, JSON.stringify(toBody(request)))
      if (!response.body) throw this.#server.badAnswer('it sent no body')
      return this.#chunks(response.body)
    })
  }

  async list(signal: AbortSignal): Promise<Model[]> {
    const models = await this.#models(signal)
    return models
      .filter(({ id }) => !/embed/i.test(id))
      .map(({ id, created = 0 }): Model => {
        const created_at = new Date(created * 1_000).toISOString()
        return { id, created_at, size: 0, capabilities: ['completion'], loaded: true }
      })
  }

  close(): void {
    this.#server.close()
  }

  async check(): Promise<string[]> {
    const signal = AbortSignal.timeout(CHECK_MS)
    return (await this.#server.probe(signal, () => this.#list(signal))).map(({ id }) => id)
  }

  async #models(signal: AbortSignal): Promise<readonly ListedModel[]> {
    if (this.#known && this.#known.until > performance.now()) return this.#known.models
    const asked = within(ASK_MS, signal)
    return this.#server.ask(asked, () => this.#list(asked))
  }

  async #list(signal: AbortSignal): Promise<readonly ListedModel[]> {
    const response = await this.#fetch('/models', signal)
    const body = boundedBody(response, MAX_ANSWER, () => this.#server.badAnswer('it answered without end'))
    const listed = Listed.safeParse(await body.json())
    if (!listed.success) throw this.#server.badAnswer(`its list of models is none: ${z.prettifyError(listed.error)}`)
    this.#known = { models: listed.data.data, until: performance.now() + KNOWN_MS }
    return this.#known.models
  }

  #unknown(name: string): ModelError {
    const cause = new Error(`the model server at ${this.#options.url} does not list ${name}`)
    return new ModelError('unknown_model', 'This model is not there; choose another one.', cause)
  }

  async #fetch(path: string, signal: AbortSignal, body?: string): Promise<Response> {
    const { url, apiKey } = this.#options
    const headers = {
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const sent = body === undefined ? {} : { method: 'POST', body }
    // Followed, a redirect would take the key to wherever it leads.
    const init = { ...sent, headers, signal, redirect: 'manual' } as const
    const response = await tracedFetch(`${url.replace(/\/$/, '')}${path}`, init)
    if (!response.ok) throw await this.#server.refusal(response)
    return response
  }

  async *#chunks(body: ReadableStream<Uint8Array>): AsyncGenerator<ModelChunk> {
    const calls = new CallParts()
    let finish: string | undefined
    let usage: Part['usage']
    for await (const data of eventData(body)) {
      if (data === '[DONE]') break
      const part = this.#partOf(data)
      usage = part.usage ?? usage
      const [choice] = part.choices
      finish = choice?.finish_reason ?? finish
      const { content, reasoning_content, reasoning, tool_calls } = choice?.delta ?? {}
      for (const { index, function: call } of tool_calls ?? []) calls.add(index, call?.name ?? '', call?.arguments ?? '')
      yield { text: content ?? '', thinking: reasoning_content ?? reasoning ?? '', tool_calls: [] }
    }
    if (finish === undefined) throw this.#server.badAnswer('its answer broke off')
    const { prompt_tokens, completion_tokens } = usage ?? {}
    const counted = { tokens_in: prompt_tokens ?? undefined, tokens_out: completion_tokens ?? undefined }
    const end = finish === 'length' ? 'length' : 'stop'
    yield { text: '', thinking: '', tool_calls: calls.whole(), finish: end, usage: counted }
  }

  #partOf(data: string): Part {
    const part = Part.safeParse(parseJson(data))
    if (!part.success) throw this.#server.badAnswer('it sent an event that is no part of an answer')
    const { error } = part.data
    if (error == null) return part.data
    const said = typeof error === 'string' ? error : error.message
    throw new ModelError('failed', 'The model gave up in the middle of its answer.', undefined, said)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Calls of tools, whose arguments come in pieces. */
class CallParts {
  readonly #parts = new Map<number, { name: string; json: string }>()

  add(index: number, name: string, json: string): void {
    const part = this.#parts.get(index) ?? { name: '', json: '' }
    this.#parts.set(index, { name: part.name + name, json: part.json + json })
  }

  whole(): ModelChunk['tool_calls'] {
    return [...this.#parts].map(([, { name, json }]) => ({ name: name || `unnamed_${newId()}`, arguments: readArguments(json) }))
  }
}

function toBody({ model, messages, tools, parameters }: ModelRequest): object {
  // Of these two the protocol knows nothing.
  const { format, think, num_ctx: _context, keep_alive: _kept, ...more } = parameters
  const schema = { type: 'json_schema', json_schema: { name: 'answer', schema: format } }
  return {
    model: model.name,
    messages: toMessages(messages),
    stream: true,
    stream_options: { include_usage: true },
    ...more,
    ...(think === undefined ? {} : { reasoning_effort: think === 'off' ? 'none' : think }),
    ...(tools.length > 0 ? { tools: tools.map((tool) => ({ type: 'function', function: tool })) } : {}),
    ...(format === undefined ? {} : { response_format: format === 'json' ? { type: 'json_object' } : schema }),
  }
}

/** The protocol pairs calls and results by ids, which our messages do not have: results come in the order of their calls. */
function toMessages(messages: readonly ModelMessage[]): object[] {
  const open: string[] = []
  return messages.map((message, at) => {
    if (message.role === 'tool') return { role: 'tool', content: message.content, tool_call_id: open.shift() ?? 'call_0' }
    if (message.role === 'user' && message.images?.length)
      return { role: 'user', content: partsOf(message.content, message.images) }
    if (message.role !== 'assistant' || !message.tool_calls?.length) return { role: message.role, content: message.content }
    const tool_calls = message.tool_calls.map((call, n) => {
      const id = `call_${at}_${n}`
      open.push(id)
      return { id, type: 'function', function: { name: call.name, arguments: JSON.stringify(call.arguments) } }
    })
    return { role: 'assistant', content: message.content, tool_calls }
  })
}

const partsOf = (text: string, images: readonly Image[]): object[] => [
  ...(text === '' ? [] : [{ type: 'text', text }]),
  ...images.map(({ mime, data }) => ({ type: 'image_url', image_url: { url: `data:${mime};base64,${data}` } })),
]

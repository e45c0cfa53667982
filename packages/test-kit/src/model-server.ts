import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { restartableServer } from './restartable-server.ts'

interface Asked {
  readonly path: string
  readonly authorization: string | undefined
  // Each test knows the shape of the body.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

interface ModelServerOptions {
  readonly protocol: 'ollama' | 'openai'
  readonly models: readonly string[]
  /** The text of an answer, which comes when the promise resolves, or in pieces; other fields of a message of Ollama come as objects. */
  readonly answer: string | ((asked: Asked) => Promise<string> | AsyncIterable<string | object>)
  /** What Ollama says of each model. */
  readonly capabilities?: readonly string[]
  /** What it thinks before it answers, in the field that its protocol has for it. */
  readonly thinking?: string
  /** Requests with another key are refused, with what they sent in the message, as hosted servers do. */
  readonly apiKey?: string
  /** Ollama's, line by line; the signal aborts when the client goes. */
  readonly pull?: (model: string, signal: AbortSignal) => AsyncIterable<object>
  /** Instead of any answer. */
  readonly redirectTo?: string
}

export interface TestModelServer extends AsyncDisposable {
  /** `base_url` of a model backend. */
  readonly url: string
  readonly asked: readonly Asked[]
  /** Those for an answer. */
  readonly chats: readonly Asked[]
  stop(): Promise<void>
  start(): Promise<void>
  /** From now on it takes requests and answers none. */
  hang(): void
}

const USAGE = { input: 7, output: 3 }

/** A server of models that says what a test wants, by Ollama's protocol or by OpenAI's. */
export async function startModelServer(options: ModelServerOptions): Promise<TestModelServer> {
  const { protocol, apiKey, redirectTo } = options
  const asked: Asked[] = []
  let isHanging = false
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = request.method === 'POST' ? await json(request) : undefined
    const { authorization } = request.headers
    const one: Asked = { path: request.url ?? '', authorization, body }
    asked.push(one)
    if (isHanging) return
    if (redirectTo !== undefined) return void response.writeHead(307, { location: redirectTo }).end()
    if (apiKey !== undefined && authorization !== `Bearer ${apiKey}`)
      return refuse(response, 401, `Incorrect API key provided: ${authorization ?? 'none'}`)
    await (protocol === 'ollama' ? serveOllama(one, response, options) : serveOpenAi(one, response, options))
  }
  const { origin, start, stop } = await restartableServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  return {
    url: protocol === 'openai' ? `${origin}/v1` : origin,
    asked,
    get chats() {
      return asked.filter(({ path }) => /chat/.test(path))
    },
    start,
    stop,
    hang: () => void (isHanging = true),
    [Symbol.asyncDispose]: stop,
  }
}

const refuse = (response: ServerResponse, status: number, message: string) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message } }))
const send = (response: ServerResponse, value: object) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

async function* piecesOf(asked: Asked, { answer }: ModelServerOptions): AsyncGenerator<string | object> {
  const said = typeof answer === 'string' ? answer : answer(asked)
  if (typeof said === 'string' || said instanceof Promise) yield said
  else yield* said
}

async function serveOllama(asked: Asked, response: ServerResponse, options: ModelServerOptions): Promise<void> {
  const { models, capabilities = ['completion', 'thinking'] } = options
  if (asked.path === '/api/tags' || asked.path === '/api/ps')
    return send(response, { models: models.map((name) => ({ name, size: 1, modified_at: '2026-01-01T00:00:00Z' })) })
  if (asked.path === '/api/pull') return sendPull(asked.body.model ?? asked.body.name, response, options)
  if (!models.includes(asked.body?.model)) return refuse(response, 404, 'no such model')
  if (asked.path === '/api/show') return send(response, { capabilities, model_info: {} })
  const pieces = piecesOf(asked, options)
  const first = await pieces.next()
  const line = (value: object) => response.write(`${JSON.stringify({ model: asked.body.model, ...value })}\n`)
  const { thinking } = options
  if (thinking !== undefined) line({ message: { role: 'assistant', content: '', thinking }, done: false })
  const say = (piece: string | object) =>
    line({
      message: { role: 'assistant', content: '', ...(typeof piece === 'string' ? { content: piece } : piece) },
      done: false,
    })
  if (first.done !== true) say(first.value)
  for await (const piece of pieces) say(piece)
  const counts = { prompt_eval_count: USAGE.input, eval_count: USAGE.output }
  line({ message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', ...counts })
  response.end()
}

async function sendPull(model: string, response: ServerResponse, { pull }: ModelServerOptions): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  for await (const line of pull?.(model, gone.signal) ?? []) response.write(`${JSON.stringify(line)}\n`)
  response.end()
}

async function serveOpenAi(asked: Asked, response: ServerResponse, options: ModelServerOptions): Promise<void> {
  const { models } = options
  if (asked.path === '/v1/models') return send(response, { object: 'list', data: models.map((id) => ({ id })) })
  if (!models.includes(asked.body?.model)) return refuse(response, 404, 'no such model')
  const pieces = piecesOf(asked, options)
  const first = await pieces.next()
  const event = (value: object) => response.write(`data: ${JSON.stringify(value)}\n\n`)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if (options.thinking !== undefined) event({ choices: [{ index: 0, delta: { reasoning_content: options.thinking } }] })
  const say = (piece: string | object) =>
    event({ choices: [{ index: 0, delta: typeof piece === 'string' ? { content: piece } : piece }] })
  if (first.done !== true) say(first.value)
  for await (const piece of pieces) say(piece)
  event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
  event({ choices: [], usage: { prompt_tokens: USAGE.input, completion_tokens: USAGE.output } })
  response.end('data: [DONE]\n\n')
}

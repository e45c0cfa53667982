import { countTokens } from '@youworker/runtime/text/count-tokens'
import type { ServerResponse } from 'node:http'
import { once } from 'node:events'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { chatLines, chatOnce, Dropped, planChat } from './chat.ts'
import { DIMENSIONS, embed } from './embedding.ts'
import { askedInChat, type ScriptedReply, type ScriptFile } from './script.ts'
import { ChatRequest, EmbedRequest, isOurs, MODEL, ShowRequest, showModel, TAGS, VERSION } from './wire.ts'

type Env = { Bindings: HttpBindings }
type Answer = Response | Promise<Response>

export interface Settings {
  readonly tokensPerSecond: number
  readonly script: ScriptFile
}

const MAX_BODY = 16 * 1024 * 1024
const EMBEDDED_PER_TURN = 32

/** Ollama's HTTP surface. Errors are `{error}` with Ollama's statuses. */
export function createOfflineModel(settings: Settings): Hono<Env> {
  const app = new Hono<Env>()
  // The rest of the body stays unread, so the connection cannot be reused.
  const tooLarge = (c: Context) => c.json({ error: `the body is larger than ${MAX_BODY} bytes` }, 413, { connection: 'close' })
  app.use(bodyLimit({ maxSize: MAX_BODY, onError: tooLarge }))
  app.get('/', (c) => c.text(`${MODEL} is running. It speaks Ollama's protocol.`))
  app.get('/api/version', (c) => c.json({ version: VERSION }))
  app.get('/api/tags', (c) => c.json(TAGS))
  app.get('/api/ps', (c) => c.json(TAGS))
  app.post('/api/show', (c) =>
    withBody(c, ShowRequest, ({ model, name }) => {
      const asked = model ?? name ?? ''
      return isOurs(asked) ? c.json(showModel(DIMENSIONS)) : unknownModel(c, asked)
    }),
  )
  app.post('/api/chat', (c) =>
    withBody(c, ChatRequest, (body) => (isOurs(body.model) ? chat(c, body, settings) : unknownModel(c, body.model))),
  )
  app.post('/api/embed', (c) =>
    withBody(c, EmbedRequest, (body) => (isOurs(body.model) ? embedAll(c, body, settings) : unknownModel(c, body.model))),
  )
  app.notFound((c) => c.json({ error: `${c.req.method} ${c.req.path} is not served here` }, 404))
  // 499 is nginx's status for a client that disconnected. Hono's types do not include it.
  app.onError((error, c) => (error.name === 'AbortError' ? c.body(null, 499 as 400) : c.json({ error: error.message }, 500)))
  return app
}

const unknownModel = (c: Context, model: string) =>
  c.json({ error: `model '${model}' not found; the offline model has only ${MODEL}` }, 404)

async function withBody<S extends z.ZodType>(
  c: Context<Env>,
  schema: S,
  serve: (body: z.output<S>) => Answer,
): Promise<Response> {
  const text = await c.req.text()
  if (text === '') return c.json({ error: 'missing request body' }, 400)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return c.json({ error: 'the body is not JSON' }, 400)
  }
  const parsed = schema.safeParse(json)
  return parsed.success ? serve(parsed.data) : c.json({ error: z.prettifyError(parsed.error) }, 400)
}

async function chat(c: Context<Env>, request: ChatRequest, { script, tokensPerSecond }: Settings): Promise<Response> {
  const { model, messages } = request
  if (messages.length === 0) {
    const message = { role: 'assistant', content: '' }
    return c.json({ model, created_at: new Date().toISOString(), message, done: true, done_reason: 'load' })
  }
  const scripted = await script.next(askedInChat(messages))
  if (scripted?.status !== undefined) return failed(scripted)
  const { outgoing } = c.env
  const generation = planChat(request, scripted, tokensPerSecond)
  const gone = goneSignal(outgoing)
  if (request.stream) return streamed(chatLines(request, generation, gone), outgoing)
  try {
    return new Response(await chatOnce(request, generation, gone), { headers: { 'content-type': 'application/json' } })
  } catch (error) {
    if (error instanceof Dropped) outgoing.destroy()
    throw error
  }
}

async function embedAll(
  c: Context<Env>,
  { model, input }: z.output<typeof EmbedRequest>,
  { script }: Settings,
): Promise<Response> {
  const scripted = await script.next({ endpoint: 'embed', text: input.join('\n') })
  if (scripted?.status !== undefined) return failed(scripted)
  const gone = goneSignal(c.env.outgoing)
  if (scripted?.drop_after !== undefined) c.env.outgoing.destroy()
  if (scripted?.stall_after !== undefined)
    await (scripted.stall_ms === undefined ? once(gone, 'abort') : sleep(scripted.stall_ms, undefined, { signal: gone }))
  const start = performance.now()
  const embeddings: number[][] = []
  for (const [index, text] of input.entries()) {
    if (index % EMBEDDED_PER_TURN === EMBEDDED_PER_TURN - 1) await turn(undefined, { signal: gone })
    embeddings.push(embed(text))
  }
  const total_duration = Math.round((performance.now() - start) * 1e6)
  const prompt_eval_count = input.reduce((sum, text) => sum + countTokens(text), 0)
  return c.json({ model, embeddings, total_duration, load_duration: 0, prompt_eval_count })
}

const failed = ({ status }: ScriptedReply): Response =>
  Response.json({ error: `the script says ${status}` }, { status: status ?? 500 })

/** Aborts when the connection closes: the client disconnected or the answer is complete. */
function goneSignal(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController()
  if (outgoing.destroyed) gone.abort()
  outgoing.once('close', () => gone.abort())
  return gone.signal
}

function streamed(lines: AsyncGenerator<string>, outgoing: ServerResponse): Response {
  const utf8 = new TextEncoder()
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    try {
      const { done, value } = await lines.next()
      if (done) controller.close()
      else controller.enqueue(utf8.encode(value))
    } catch {
      // The script cuts the connection, or the client disconnected. Lines written in this turn of the event loop must still be sent.
      await turn()
      outgoing.destroy()
    }
  }
  // Without a queue, the next line is pulled only after the previous one was written.
  const body = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 })
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson' } })
}

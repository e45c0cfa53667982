import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { z } from 'zod'
import { restartableServer } from '../restartable-server.ts'

const Cohere = z.object({ model: z.string().optional(), query: z.string(), documents: z.array(z.string()), top_n: z.int() })
const Tei = z.object({ query: z.string(), texts: z.array(z.string()), raw_scores: z.boolean(), truncate: z.boolean() })
const Chat = z.object({
  model: z.string(),
  stream: z.literal(false),
  format: z.object({ type: z.literal('object') }),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).length(2),
})
const PASSAGE = /<passage (\d+)>\n([^<]*)\n<\/passage/g
/** text-embeddings-inference's own default. */
const TEI_BATCH = 32

export interface RerankAsked {
  readonly path: string
  readonly authorization: string | undefined
  readonly model: string | undefined
  readonly query: string
  readonly texts: readonly string[]
}

/** Instead of all scores: `half` of them, an `unknown` passage, `nonsense`, an answer without end, none at all, or the status of a refusal. */
export type RerankMood = 'well' | 'half' | 'unknown' | 'nonsense' | 'huge' | 'hang' | number

export interface TestRerankServer extends AsyncDisposable {
  readonly origin: string
  readonly asked: readonly RerankAsked[]
  mood: RerankMood
  /** Any number, as of a model with logits. */
  scoreOf: (query: string, text: string) => number
  stop(): Promise<void>
  start(): Promise<void>
}

/** Ranks by the protocols of Cohere (`/v1/rerank`), of text-embeddings-inference (`/rerank`) and of a chat model of Ollama (`/api/chat`). */
export async function startRerankServer(): Promise<TestRerankServer> {
  const asked: RerankAsked[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { url: path = '', headers } = request
    const one = readAsked(path, await json(request))
    if (!one) return void response.writeHead(422).end()
    asked.push({ path, authorization: headers.authorization, ...one })
    if (server.mood === 'hang') return
    if (typeof server.mood === 'number') return void response.writeHead(server.mood).end('secret words of the reranker')
    if (server.mood === 'nonsense') return send(response, { answer: 42 })
    if (server.mood === 'huge') return endless(response)
    if (path === '/rerank' && one.texts.length > TEI_BATCH) return void response.writeHead(413).end()
    const scores = one.texts.map((text, index) => ({ index, score: server.scoreOf(one.query, text) }))
    if (server.mood === 'unknown') scores.push({ index: one.texts.length, score: 1 })
    const told = server.mood === 'half' ? scores.slice(0, Math.ceil(scores.length / 2)) : scores
    send(
      response,
      answerOf(
        path,
        told.toSorted((a, b) => b.score - a.score),
      ),
    )
  }
  const { origin, start, stop } = await restartableServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  const server: TestRerankServer = { origin, asked, mood: 'well', scoreOf: () => 0, start, stop, [Symbol.asyncDispose]: stop }
  return server
}

function readAsked(path: string, body: unknown): Omit<RerankAsked, 'path' | 'authorization'> | undefined {
  if (path === '/v1/rerank') {
    const asked = Cohere.safeParse(body).data
    return asked && { model: asked.model, query: asked.query, texts: asked.documents }
  }
  if (path === '/rerank') {
    const asked = Tei.safeParse(body).data
    return asked && { model: undefined, query: asked.query, texts: asked.texts }
  }
  const asked = path === '/api/chat' ? Chat.safeParse(body).data : undefined
  const content = asked?.messages[1]?.content ?? ''
  const query = /^Question: (.*)/.exec(content)?.[1] ?? ''
  return asked && { model: asked.model, query, texts: Array.from(content.matchAll(PASSAGE), ([, , text = '']) => text) }
}

type Scored = readonly { readonly index: number; readonly score: number }[]

function answerOf(path: string, scores: Scored): object {
  if (path === '/rerank') return scores
  if (path === '/v1/rerank') return { id: 'r', results: scores.map(({ index, score }) => ({ index, relevance_score: score })) }
  const content = JSON.stringify({ scores: scores.map(({ index, score }) => ({ passage: index + 1, score })) })
  return { model: 'm', done: true, message: { role: 'assistant', content } }
}

const send = (response: ServerResponse, value: object) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

function endless(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  const part = Buffer.alloc(256 * 1024, ' ')
  const go = () => {
    while (!response.destroyed && response.write(part));
    if (!response.destroyed) response.once('drain', go)
  }
  go()
}

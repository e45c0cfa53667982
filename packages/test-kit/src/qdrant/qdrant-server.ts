import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { restartableServer } from '../restartable-server.ts'
import { Collections, type Performed } from './collections.ts'
import { type QdrantVersion, requestRules } from './request-rules.ts'
import { Refusal } from './stored-points.ts'

export interface AskedQdrant {
  /** As in `PUT /collections/{collection_name}/points`. */
  readonly operation: string
  readonly collection: string | undefined
  // Each test knows the shape of the body.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/**
 * What the server does with a request: `hang` never answers, `cut` ends the connection before it does what is asked, `cut_after` behind it,
 * `nonsense` is not Qdrant, a number is the status of a refusal.
 */
export type QdrantMood = 'well' | 'hang' | 'cut' | 'cut_after' | 'nonsense' | number

export interface TestQdrant extends AsyncDisposable {
  /** `LLM__QDRANT_URL`. */
  readonly url: string
  readonly asked: readonly AskedQdrant[]
  /** Decides how each request is treated. It may wait. */
  mood: (request: AskedQdrant) => QdrantMood | Promise<QdrantMood>
  /** What was refused because it breaks the rules of the API: there should be nothing. */
  readonly faults: readonly string[]
  readonly collections: Collections
  stop(): Promise<void>
  start(): Promise<void>
}

interface QdrantServerOptions {
  readonly version?: QdrantVersion
  /** What it says of itself, when another one. */
  readonly says?: string
  readonly apiKey?: string | undefined
}

/** What is written without `wait` is seen so much later. In ms. */
const LATER_MS = 100
const MAX_BODY = 32 * 1024 * 1024

/** A server that keeps points as Qdrant does, in memory, and takes only what Qdrant's description of its API allows. */
export async function startQdrant({
  version = '1.19',
  says = `${version}.0`,
  apiKey,
}: QdrantServerOptions = {}): Promise<TestQdrant> {
  const faultOf = await requestRules(version)
  const asked: AskedQdrant[] = []
  const faults: string[] = []
  const collections = new Collections(says)
  const server: Pick<TestQdrant, 'mood'> = { mood: () => 'well' }

  const perform = ({ operation, collection, body }: AskedQdrant, query: URLSearchParams): Performed => {
    const fault = faultOf({ operation, query, body })
    if (fault !== undefined) throw new Refusal(400, `Format error in JSON body: ${fault}`)
    return collections.perform(operation, collection, body ?? {})
  }
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { one, query } = await readAsked(request)
    if (apiKey !== undefined && request.headers['api-key'] !== apiKey) return refuseKey(request, response)
    asked.push(one)
    const mood = await server.mood(one)
    if (mood === 'hang') return
    if (mood === 'cut') return void request.socket.destroy()
    if (mood === 'nonsense') return void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Hello</p>')
    if (typeof mood === 'number') return send(response, mood, { status: { error: 'secret words of Qdrant' }, time: 0 })
    try {
      const { result, write } = perform(one, query)
      const isAwaited = query.get('wait') === 'true' || !one.operation.includes('/points')
      if (write && isAwaited) write()
      if (write && !isAwaited) void sleep(LATER_MS).then(write)
      if (mood === 'cut_after') return void request.socket.destroy()
      send(response, 200, bodyOf(one.operation, result))
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500
      const message = error instanceof Error ? error.message : String(error)
      if (status !== 404 && status !== 409) faults.push(`${one.operation}: ${message}`)
      send(response, status, { status: { error: message }, time: 0 })
    }
  }
  const { origin, start, stop } = await restartableServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  return Object.assign(server, { url: origin, asked, faults, collections, start, stop, [Symbol.asyncDispose]: stop })
}

const bodyOf = (operation: string, result: unknown): unknown =>
  operation === 'GET /' ? result : { result, status: 'ok', time: 0.001 }

const refuseKey = ({ headers }: IncomingMessage, response: ServerResponse) =>
  headers['api-key'] === undefined
    ? void response.writeHead(401).end('Must provide an API key or an Authorization bearer token')
    : void response.writeHead(403).end('Invalid API key or JWT')

async function readAsked(request: IncomingMessage): Promise<{ one: AskedQdrant; query: URLSearchParams }> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://qdrant')
  const [, first, name, ...others] = pathname.split('/')
  const isOfCollection = first === 'collections' && name !== 'aliases'
  const path = isOfCollection ? ['/collections/{collection_name}', ...others].join('/') : pathname
  const content = await text(request)
  if (Buffer.byteLength(content) > MAX_BODY) throw new Error('the body is too large')
  const body = content === '' ? undefined : (JSON.parse(content) as unknown)
  const collection = isOfCollection ? decodeURIComponent(name ?? '') : undefined
  return { one: { operation: `${request.method} ${path}`, collection, body }, query: searchParams }
}

const send = (response: ServerResponse, status: number, body: unknown) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

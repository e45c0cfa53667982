import { setTimeout as sleep } from 'node:timers/promises'
import { json } from 'node:stream/consumers'
import { restartableServer } from '../restartable-server.ts'

export interface TestEmbeddingServer extends AsyncDisposable {
  /** Speaks Ollama's protocol, for embeddings alone. */
  readonly url: string
  /** How many texts each model has embedded. */
  readonly embedded: ReadonlyMap<string, number>
  /** From now on it has this model, whose vectors have so many numbers and come after `delayMs`. */
  put(model: string, options: { dimensions: number; delayMs?: number }): void
  /** As after `ollama rm`. */
  remove(model: string): void
  stop(): Promise<void>
  start(): Promise<void>
}

/** A model server with any number of embedding models: texts with the same words are similar in each, and no two models are. */
export async function startEmbeddingServer(): Promise<TestEmbeddingServer> {
  const models = new Map<string, { dimensions: number; delayMs?: number }>()
  const embedded = new Map<string, number>()
  const answer = async (path: string, body: { model?: string; input?: string | string[] } | undefined) => {
    const listed = [...models.keys()].map((name) => ({ name, model: name }))
    if (path === '/api/tags') return { status: 200, value: { models: listed } }
    const model = body?.model ?? ''
    const options = models.get(model)
    if (!options) return { status: 404, value: { error: `model "${model}" not found, try pulling it first` } }
    if (path === '/api/show') return { status: 200, value: { capabilities: ['embedding'], model_info: {} } }
    const input = [body?.input ?? []].flat()
    if (options.delayMs !== undefined) await sleep(options.delayMs)
    embedded.set(model, (embedded.get(model) ?? 0) + input.length)
    const embeddings = input.map((text) => vectorOf(`${model} `, text, options.dimensions))
    return { status: 200, value: { model, embeddings, prompt_eval_count: input.length } }
  }
  const { origin, start, stop } = await restartableServer((request, response) => {
    const read = request.method === 'POST' ? json(request) : Promise.resolve(undefined)
    read
      .then((body) => answer(request.url ?? '', Object(body) as { model?: string }))
      .then(({ status, value }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      })
      .catch(() => response.destroy())
  })
  return {
    url: origin,
    embedded,
    put: (model, options) => void models.set(model, options),
    remove: (model) => void models.delete(model),
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Feature hashing of words; the salt makes the vectors of each model others. */
function vectorOf(salt: string, text: string, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => 0)
  for (const word of text.toLowerCase().match(/\p{L}+/gu) ?? []) {
    let hash = 2_166_136_261
    for (const letter of salt + word) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619)
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0
    vector[hash % dimensions] = (vector[hash % dimensions] ?? 0) + ((hash >>> 20) & 1 ? 1 : -1)
  }
  const length = Math.hypot(...vector)
  return length === 0 ? vector : vector.map((value) => value / length)
}

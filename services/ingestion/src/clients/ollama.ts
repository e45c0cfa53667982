import { AppError } from '@youworker/contracts/errors'
import { boundedBody, firstText } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import { traced } from '@youworker/runtime/tracing/span'
import { createBreaker } from '@youworker/runtime/timing/breaker'
import { metrics } from '@youworker/runtime/health/metrics'
import { isModelDown, ModelError, modelFailure } from '@youworker/runtime/model-error'
import { promptsOf } from '../services/search/model-prompts.ts'
import type { Embedder } from '../services/search/embedding-service.ts'

interface OllamaOptions {
  readonly url: string
  readonly model: string
}

/** Embeddings through Ollama's API, or anything that speaks it. */
export function createOllamaEmbedder({ url, model }: OllamaOptions): Embedder {
  const breaker = createBreaker({ target: 'The embedding model', isFailure: isModelDown })
  return {
    model,
    async embed(given, { as, signal, timeoutMs }) {
      const texts = as === undefined ? given : given.map((text) => promptsOf(model)[as] + text)
      const timeout = AbortSignal.timeout(timeoutMs)
      const stop = signal ? AbortSignal.any([signal, timeout]) : timeout
      return breaker.run(async () => {
        try {
          const attributes = { 'gen_ai.operation.name': 'embeddings', 'gen_ai.request.model': model }
          const ask = () => request(url, model, texts, stop)
          return await traced({ kind: 'client', name: 'model embed', attributes }, ask)
        } catch (error) {
          signal?.throwIfAborted()
          throw explain(error, url, model, timeout.aborted ? timeoutMs : undefined)
        }
      })
    },
  }
}

/** Bytes of an answer with an error that are read, and of any other one. */
const MAX_REFUSAL = 16 * 1024
const MAX_ANSWER = 64 * 1024 * 1024

const boundedFetch: typeof fetch = async (target, init) => {
  const response = await tracedFetch(target, init)
  if (response.ok)
    return boundedBody(response, MAX_ANSWER, () => new ModelError('failed', 'The embedding model answered without end'))
  // Without its type the library prints a line for each error.
  const headers = { 'content-type': response.headers.get('content-type') ?? 'text/plain' }
  return new Response(await firstText(response, MAX_REFUSAL), {
    status: response.status,
    statusText: response.statusText,
    headers,
  })
}

async function request(url: string, model: string, input: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
  const { Ollama } = await import('ollama')
  const ollama = new Ollama({ host: url, fetch: (target, init) => boundedFetch(target, { ...init, signal }) })
  const { embeddings, prompt_eval_count } = await ollama.embed({ model, input: [...input], truncate: true })
  metrics.modelTokens.inc({ model, direction: 'in' }, prompt_eval_count ?? 0)
  const length = embeddings[0]?.length ?? 0
  const fits = embeddings.length === input.length && length > 0
  if (!fits || !embeddings.every((vector) => vector.length === length && vector.every(Number.isFinite))) {
    throw new ModelError(
      'refused',
      `The model ${model} answered with vectors that do not fit the question; check that it is an embedding model`,
    )
  }
  return embeddings.map((vector) => Float32Array.from(vector))
}

function explain(error: unknown, url: string, model: string, timedOutMs: number | undefined): AppError {
  if (error instanceof AppError) return error
  const status = statusOf(error)
  const failure = modelFailure(status)
  if (failure === 'unknown_model') {
    return new ModelError(failure, `The embedding model ${model} is not there; run: ollama pull ${model}`, error)
  }
  if (failure === 'refused') {
    return new ModelError(failure, `The embedding model ${model} refused a text (HTTP ${status})`, error)
  }
  const silence = timedOutMs === undefined ? 'cannot be reached' : `did not answer in ${timedOutMs / 1_000} s`
  const problem = status === undefined ? silence : `failed (HTTP ${status})`
  const message = `The embedding model ${problem}; documents can be searched by words until it does`
  return new ModelError(failure, message, new Error(`Ollama at ${url}`, { cause: error }))
}

/** The library's errors carry the HTTP status. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Error && 'status_code' in error && typeof error.status_code === 'number' ? error.status_code : undefined

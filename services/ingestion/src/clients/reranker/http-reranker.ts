import { AppError } from '@youworker/contracts/errors'
import { boundedBody } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import { isModelDown, ModelError, modelFailure } from '@youworker/runtime/model-error'
import { createBreaker } from '@youworker/runtime/timing/breaker'
import { traced } from '@youworker/runtime/tracing/span'
import { type Reranker, type RerankOptions, RerankTimeout } from '../../services/search/rerank/reranker.ts'
import { type RerankKind, type RerankProtocol, RERANK_PROTOCOLS } from './rerank-protocols.ts'

export interface RerankerOptions extends Pick<Reranker, 'candidates' | 'timeoutMs'> {
  readonly kind: RerankKind
  readonly url: string
  readonly model: string | undefined
  readonly apiKey: string | undefined
}

/** Some servers send the passages back. In bytes. */
const MAX_ANSWER = 4 * 1024 * 1024

type Scores = (number | undefined)[]

/** A reranker behind HTTP. */
export function createHttpReranker(options: RerankerOptions): Reranker {
  const { kind, candidates, timeoutMs } = options
  const breaker = createBreaker({ target: 'The reranker', isFailure: isModelDown })
  const protocol = RERANK_PROTOCOLS[kind]
  return {
    candidates,
    timeoutMs,
    rerank: (query, texts, call) =>
      breaker.run(() =>
        traced({ kind: 'client', name: 'model rerank', attributes: { 'gen_ai.request.model': options.model ?? kind } }, () =>
          askInParts(options, protocol, { query, texts, ...call }),
        ),
      ),
  }
}

interface Question extends RerankOptions {
  readonly query: string
  readonly texts: readonly string[]
}

async function askInParts(options: RerankerOptions, protocol: RerankProtocol, question: Question): Promise<Scores> {
  const timeout = AbortSignal.timeout(question.timeoutMs)
  const stop = AbortSignal.any([question.signal, timeout])
  const parts: (readonly string[])[] = []
  for (let at = 0; at < question.texts.length; at += protocol.most) parts.push(question.texts.slice(at, at + protocol.most))
  try {
    const scores = await Promise.all(parts.map((texts) => ask(options, protocol, { ...question, texts, signal: stop })))
    return scores.flat()
  } catch (error) {
    question.signal.throwIfAborted()
    if (timeout.aborted) throw new RerankTimeout(question.timeoutMs)
    if (error instanceof AppError) throw error
    throw new ModelError('away', 'The reranker cannot be reached', new Error(`The reranker at ${options.url}`, { cause: error }))
  }
}

async function ask(
  { url, model, apiKey }: RerankerOptions,
  { path, body, read }: RerankProtocol,
  { query, texts, signal }: Omit<Question, 'timeoutMs'>,
): Promise<Scores> {
  const response = await tracedFetch(`${url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify(body(model, query, texts)),
    redirect: 'error',
    signal,
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new ModelError(modelFailure(response.status), `The reranker answered with HTTP ${response.status}`)
  }
  const tooLong = () => new ModelError('failed', 'The reranker answered without end')
  return inOrder(read, await boundedBody(response, MAX_ANSWER, tooLong).text(), texts.length)
}

/** Of a text that is named twice the first score counts. */
function inOrder(read: RerankProtocol['read'], answer: string, count: number): Scores {
  const scores: Scores = Array.from({ length: count })
  try {
    for (const [index, score] of read(JSON.parse(answer))) {
      if (index >= count) throw new RangeError(`There is no passage ${index}`)
      scores[index] ??= score
    }
  } catch (error) {
    throw new ModelError('failed', 'The answer of the reranker is none of its protocol; check LLM__RERANK_KIND', error)
  }
  return scores
}

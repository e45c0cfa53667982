import { ModelError } from '@youworker/runtime/model-error'

/** A model that reads a question and a passage together, which tells more than their vectors and takes longer. */
export interface Reranker {
  /** So many of the best hits are put to it. */
  readonly candidates: number
  readonly timeoutMs: number
  /** A score for each text, of any scale, higher is better; `undefined` for those that it left out. Throws `ModelError` or `CIRCUIT_OPEN`. */
  rerank(query: string, texts: readonly string[], options: RerankOptions): Promise<(number | undefined)[]>
}

export interface RerankOptions {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

export class RerankTimeout extends ModelError {
  constructor(timeoutMs: number) {
    super('failed', `The reranker did not answer in ${timeoutMs / 1_000} s`)
  }
}

import { LRUCache } from 'lru-cache'
import type { Embedder } from '../embedding-service.ts'
import { PROBES } from './probe-texts.ts'

/** How far an embedding model is to be trusted. Measured, because a model's name says nothing of it. */
export interface Trust {
  /** From 0, which only fills up below what was found by words; 1 would count as much as the words. */
  readonly weight: number
  /** Passages less similar to a question than this are taken for unrelated to it. */
  readonly floor: number
}

/** Of a model that could not be tried: it neither moves nor adds anything. */
export const NO_TRUST: Trust = { weight: 0, floor: 1 }

/** Share of the probes that a model has to find to count at all, and to count fully. */
const SOME = 0.4
const FULL = 0.8
/**
 * What a model that solves all probes counts. They do not tell a good one from the best: the Universal Sentence Encoder of 2018 solves them,
 * and on Cranfield a hybrid with it had an nDCG@10 of 0.312 at 1, 0.347 at 0.5 and 0.366 at 0.3, where the words alone had 0.356.
 */
const MOST = 0.3
/** Of the similarities of questions and passages that have nothing to do with each other. */
const MOST_UNRELATED = 0.98

/** Asks each model once what it makes of the probes. */
export class EmbeddingTrust {
  readonly #embedder: Embedder
  readonly #known = new LRUCache<string, Promise<Trust>>({ max: 8 })

  constructor(embedder: Embedder) {
    this.#embedder = embedder
  }

  /** Rejects as the embedder does; a later call asks again. */
  async get(timeoutMs: number): Promise<Trust> {
    const { model } = this.#embedder
    const known = this.#known.get(model) ?? this.#measure(timeoutMs)
    this.#known.set(model, known)
    try {
      return await known
    } catch (error) {
      this.#known.delete(model)
      throw error
    }
  }

  async #measure(timeoutMs: number): Promise<Trust> {
    const [questions, answers] = await Promise.all([
      this.#embedder.embed(
        PROBES.map(([question]) => question),
        { as: 'query', timeoutMs },
      ),
      this.#embedder.embed(
        PROBES.map(([, answer]) => answer),
        { as: 'document', timeoutMs },
      ),
    ])
    return trustOf(questions, answers)
  }
}

export function trustOf(questions: readonly Float32Array[], answers: readonly Float32Array[]): Trust {
  const table = questions.map((question) => answers.map((answer) => cosine(question, answer)))
  const found = table.filter((row, n) => row.every((other, m) => m === n || other < (row[n] ?? 0))).length / table.length
  const unrelated = table.flatMap((row, n) => row.filter((_, m) => m !== n)).toSorted((a, b) => a - b)
  const weight = MOST * Math.min(1, Math.max(0, (found - SOME) / (FULL - SOME)))
  // A model that takes things for similar at random does so most of all where there is much to choose from.
  const floor = weight === 0 ? unrelated.at(-1) : unrelated[Math.floor(MOST_UNRELATED * (unrelated.length - 1))]
  return { weight, floor: Math.max(0, floor ?? 1) }
}

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0
  let aa = 0
  let bb = 0
  for (let n = 0; n < a.length; n += 1) {
    const x = a[n] ?? 0
    const y = b[n] ?? 0
    product += x * y
    aa += x * x
    bb += y * y
  }
  return aa === 0 || bb === 0 ? 0 : product / Math.sqrt(aa * bb)
}

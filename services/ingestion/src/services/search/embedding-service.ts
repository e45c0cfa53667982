import { createHash } from 'node:crypto'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { FairSlots } from '../runs/fair-slots.ts'
import { vectorsName } from './model-prompts.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'

/** The embedding model. Throws `LLM_ERROR` when it refuses, `SERVICE_UNAVAILABLE` or `CIRCUIT_OPEN` when it does not answer. */
export interface Embedder {
  readonly model: string
  /** One vector for each text, in their order. `as`: what the texts are; the model gets them as it was trained with such ones. */
  embed(texts: readonly string[], options: EmbedderOptions): Promise<Float32Array[]>
}

interface EmbedderOptions {
  readonly as?: 'query' | 'document'
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs: number
}

/** A transaction that is rolled back when the caller does not own the work any more. */
export type FencedWrite = <T>(work: (repositories: IngestionRepositories) => Promise<T>) => Promise<T>

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

interface EmbeddableText {
  readonly text_hash: string
  readonly text: string
}

interface EmbedOptions {
  readonly write: FencedWrite
  readonly signal?: AbortSignal | undefined
  /** Whose turn it is to ask the model. By default the space's own. */
  readonly user?: string
  readonly onProgress?: (done: number) => Promise<void>
}

/** A model computes one batch at a time; another one waits there, so that it never idles, and a search waits for no more than these. */
export const embeddingTurns = (): FairSlots => new FairSlots({ total: 2, each: 2 })

const BATCH = 64
interface EmbeddingOptions {
  /** Shared by all models, because the same machine computes them. */
  readonly turns: FairSlots
  /** The name under which vectors are stored. */
  readonly vectors?: string
}

const BATCH_TIMEOUT_MS = 30_000
const LOOK_UP = 2_000

/** The text that is embedded for a chunk: its headings, then its own text. */
export function embeddable(chunk: { title_path: readonly string[]; text: string }): EmbeddableText {
  const headings = chunk.title_path.join(' > ')
  const text = headings === '' ? chunk.text : `${headings}\n\n${chunk.text}`
  return { text, text_hash: createHash('sha256').update(text).digest('hex') }
}

/** Vectors by model and text, so that a space never embeds the same text twice. */
export class EmbeddingService {
  readonly #uow: IngestionUnitOfWork
  readonly #embedder: Embedder
  readonly #turns: FairSlots
  /** Names the vectors of documents. */
  readonly model: string

  constructor(uow: IngestionUnitOfWork, embedder: Embedder, { turns, vectors = vectorsName(embedder.model) }: EmbeddingOptions) {
    this.#uow = uow
    this.#embedder = embedder
    this.#turns = turns
    this.model = vectors
  }

  /** Vectors of texts that belong to no document, in base64. Nothing of them is stored. */
  async vectorsOf(texts: readonly string[], signal: AbortSignal): Promise<{ model: string; vectors: string[] }> {
    const timeoutMs = Math.max(1, Math.min(BATCH_TIMEOUT_MS, timeLeft()))
    const vectors = await this.#embedder.embed(texts, { signal, timeoutMs })
    return { model: this.#embedder.model, vectors: vectors.map((vector) => bytesOf(vector).toString('base64')) }
  }

  /** Embeds the texts that have no vector yet. */
  async ensure(spaceId: string, texts: readonly EmbeddableText[], options: EmbedOptions): Promise<void> {
    await this.embed(spaceId, await this.#missing(spaceId, texts), options)
  }

  /** Each batch is stored at once, so a repeated attempt continues after it. Of users who wait for the model each gets a turn. */
  async embed(spaceId: string, given: readonly EmbeddableText[], options: EmbedOptions): Promise<void> {
    const { write, signal, user = spaceId, onProgress } = options
    const texts = [...new Map(given.map((text) => [text.text_hash, text])).values()]
    for (let at = 0; at < texts.length; at += BATCH) {
      const batch = texts.slice(at, at + BATCH)
      const vectors = await this.#ask(
        user,
        batch.map(({ text }) => text),
        signal,
      )
      const rows = batch.flatMap(({ text_hash }, index) => {
        const vector = vectors[index]
        return vector ? [{ text_hash, vector: bytesOf(vector) }] : []
      })
      await write(({ embeddings }) => embeddings.add(spaceId, this.model, rows))
      await onProgress?.(at + batch.length)
    }
  }

  async #ask(user: string, texts: readonly string[], signal = new AbortController().signal): Promise<Float32Array[]> {
    using _turn = await this.#turns.take(user, signal)
    return this.#embedder.embed(texts, { as: 'document', signal, timeoutMs: BATCH_TIMEOUT_MS })
  }

  async #missing(spaceId: string, texts: readonly EmbeddableText[]): Promise<EmbeddableText[]> {
    const byHash = new Map(texts.map((text) => [text.text_hash, text]))
    const hashes = [...byHash.keys()]
    for (let at = 0; at < hashes.length; at += LOOK_UP) {
      const known = await this.#uow
        .in([spaceId])
        .read(({ embeddings }) => embeddings.known(spaceId, this.model, hashes.slice(at, at + LOOK_UP)))
      for (const hash of known) byHash.delete(hash)
    }
    return [...byHash.values()]
  }
}

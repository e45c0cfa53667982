import { createHash } from 'node:crypto'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'

/** The embedding model. Throws `LLM_ERROR` when it refuses, `SERVICE_UNAVAILABLE` or `CIRCUIT_OPEN` when it does not answer. */
export interface Embedder {
  readonly model: string
  /** One vector for each text, in their order. */
  embed(texts: readonly string[], options: { signal?: AbortSignal | undefined; timeoutMs: number }): Promise<Float32Array[]>
}

/** A transaction that is rolled back when the caller does not own the work any more. */
export type FencedWrite = <T>(work: (repositories: IngestionRepositories) => Promise<T>) => Promise<T>

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

interface EmbeddableText {
  readonly text_hash: string
  readonly text: string
}

interface EnsureOptions {
  readonly write: FencedWrite
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (done: number, total: number) => Promise<void>
}

const BATCH = 64
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

  constructor(uow: IngestionUnitOfWork, embedder: Embedder) {
    this.#uow = uow
    this.#embedder = embedder
  }

  get model(): string {
    return this.#embedder.model
  }

  /** Vectors of texts that belong to no document, in base64. Nothing of them is stored. */
  async vectorsOf(texts: readonly string[], signal: AbortSignal): Promise<{ model: string; vectors: string[] }> {
    const timeoutMs = Math.max(1, Math.min(BATCH_TIMEOUT_MS, timeLeft()))
    const vectors = await this.#embedder.embed(texts, { signal, timeoutMs })
    return { model: this.#embedder.model, vectors: vectors.map((vector) => bytesOf(vector).toString('base64')) }
  }

  /** Embeds the texts that have no vector yet. Each batch is stored at once, so a repeated attempt continues after it. */
  async ensure(spaceId: string, texts: readonly EmbeddableText[], { write, signal, onProgress }: EnsureOptions): Promise<void> {
    const { model } = this.#embedder
    const missing = await this.#missing(spaceId, texts)
    for (let at = 0; at < missing.length; at += BATCH) {
      signal?.throwIfAborted()
      const batch = missing.slice(at, at + BATCH)
      const vectors = await this.#embedder.embed(
        batch.map(({ text }) => text),
        { signal, timeoutMs: BATCH_TIMEOUT_MS },
      )
      const rows = batch.flatMap(({ text_hash }, index) => {
        const vector = vectors[index]
        return vector ? [{ text_hash, vector: bytesOf(vector) }] : []
      })
      await write(({ embeddings }) => embeddings.add(spaceId, model, rows))
      await onProgress?.(texts.length - missing.length + at + batch.length, texts.length)
    }
  }

  async #missing(spaceId: string, texts: readonly EmbeddableText[]): Promise<EmbeddableText[]> {
    const byHash = new Map(texts.map((text) => [text.text_hash, text]))
    const hashes = [...byHash.keys()]
    for (let at = 0; at < hashes.length; at += LOOK_UP) {
      const known = await this.#uow
        .in([spaceId])
        .read(({ embeddings }) => embeddings.known(spaceId, this.#embedder.model, hashes.slice(at, at + LOOK_UP)))
      for (const hash of known) byHash.delete(hash)
    }
    return [...byHash.values()]
  }
}

import type { ChunkHit, ChunkRef, SearchFilter } from '../../../repositories/search-repository.ts'
import type { SharedCollection } from '../../../repositories/sharing/grant-repository.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'

/** What is read: whole spaces, and of others only what was shared. */
export interface SearchScope {
  readonly ids: readonly string[]
  /** With those of which only a part is seen. */
  readonly all: readonly string[]
  readonly shared: readonly SharedCollection[]
}

interface ReadOptions {
  readonly uow: IngestionUnitOfWork
  readonly scope: SearchScope
  readonly filter: SearchFilter
  /** Says of a text whether it may be a hit; without it all may, and only the texts of a few are read. */
  readonly isWanted: ((row: ChunkHit) => boolean) | undefined
  /** All texts are needed. */
  readonly isWhole: boolean
}

/** What one question has read from Postgres so far. Only what counts: Postgres decides, because the index may be behind. */
export class ReadChunks {
  readonly #options: ReadOptions
  /** `undefined` for a chunk that does not count. */
  readonly #refs = new Map<string, ChunkRef | undefined>()
  readonly #hits = new Map<string, ChunkHit>()

  constructor(options: ReadOptions) {
    this.#options = options
  }

  /** Reads those of the chunks that were not read yet, and the texts of `whole`. */
  async read(ids: readonly string[], whole: readonly string[]): Promise<void> {
    const { uow, scope, filter, isWanted, isWhole } = this.#options
    const { all, shared } = scope
    const unread = ids.filter((id) => !this.#refs.has(id))
    const texts = isWhole || isWanted ? unread : whole.filter((id) => !this.#hits.has(id))
    if (unread.length + texts.length === 0) return
    const inFull = new Set(texts)
    const rest = unread.filter((id) => !inFull.has(id))
    const [hits, refs] = await uow
      .in(scope.ids, shared)
      .read(({ searches }) => Promise.all([searches.hits(all, texts, filter), searches.refs(all, rest, filter)]))
    for (const id of unread) this.#refs.set(id, undefined)
    for (const ref of refs) this.#refs.set(ref.chunk_id, ref)
    for (const hit of hits) {
      if (isWanted?.(hit) === false) continue
      this.#refs.set(hit.chunk_id, hit)
      this.#hits.set(hit.chunk_id, hit)
    }
  }

  ref(id: string): ChunkRef | undefined {
    return this.#refs.get(id)
  }

  /** Of those only that were read with their texts. */
  hit(id: string): ChunkHit | undefined {
    return this.#hits.get(id)
  }
}

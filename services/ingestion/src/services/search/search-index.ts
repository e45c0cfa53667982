/** Where an index stands: which database it follows (`epoch`), whose vectors it holds and up to which change (`seq`). */
export interface IndexState {
  readonly epoch: string
  readonly model: string
  readonly seq: number
}

export interface IndexEntry {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
  /** Title and headings. */
  readonly heading: string
  readonly text: string
  readonly vector: Uint8Array | null
}

/** `generation` is `null` when the document is gone. */
export interface IndexedVersion {
  readonly document_id: string
  readonly generation: number | null
}

export interface IndexQuery {
  /** Little-endian float32. */
  readonly vector?: Uint8Array | undefined
  readonly terms?: readonly string[] | undefined
  readonly limit: number
  /** Only these documents. */
  readonly document_ids?: readonly string[] | undefined
}

export interface Candidate {
  readonly chunk_id: string
  readonly generation: number
  /** Dense: cosine similarity. Lexical: BM25, higher is better. */
  readonly score: number
}

export interface Candidates {
  readonly dense: readonly Candidate[]
  readonly lexical: readonly Candidate[]
}

/**
 * The port of a search index, one part per space. It is derived from Postgres and may be lost at any time: whoever uses it compares
 * `state` with Postgres, feeds what is missing, and joins every candidate with Postgres before anyone sees it.
 */
export interface SearchIndex extends AsyncDisposable {
  /** `undefined`: there is no usable part for this space. */
  state(spaceId: string): Promise<IndexState | undefined>
  /** Begins the part anew, at `seq` 0. */
  reset(spaceId: string, start: Pick<IndexState, 'epoch' | 'model'>): Promise<void>
  /** Adds chunks; adding one again changes nothing. False: somebody else has moved the index on from `base`. */
  add(spaceId: string, base: IndexState, entries: readonly IndexEntry[]): Promise<boolean>
  /** Drops what the given versions replace and moves on from `base` to `seq`. False as with `add`. */
  advance(spaceId: string, base: IndexState, seq: number, versions: readonly IndexedVersion[]): Promise<boolean>
  /** Best first. Empty for a space without a part. */
  search(spaceId: string, query: IndexQuery): Promise<Candidates>
  /** Erases the part of a space. */
  drop(spaceId: string): Promise<void>
  /** Throws, saying what to do, when this process may not use the index. */
  check(): Promise<void>
}

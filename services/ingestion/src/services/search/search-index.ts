import type { QueryTerm } from '../../analysis/query.ts'

/** The database that an index follows (`epoch`), what made its vectors and terms (`model`) and the last change that it holds (`seq`). */
export interface IndexState {
  readonly epoch: string
  readonly model: string
  readonly seq: number
  /** Another one after each `reset`, in an index that several machines write to. */
  readonly part?: string | undefined
}

export interface IndexEntry {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
  /** Of the change that the version came with. */
  readonly seq: number
  /** The terms of title and headings, then those of the text, with spaces between them: letters and digits only. */
  readonly heading: string
  readonly body: string
  readonly vector: Uint8Array | null
}

/** `generation` is `null` when the document is gone. */
export interface IndexedVersion {
  readonly document_id: string
  readonly generation: number | null
  /** Of the change. */
  readonly seq: number
}

/**
 * `refused`: the index was not at `base` any more, and nothing was written. `late`: it was written, and meanwhile the index has gone on; what
 * was written may belong to a version that was removed before.
 */
export type Added = 'added' | 'refused' | 'late'

export interface IndexQuery {
  /** Little-endian float32. */
  readonly vector?: Uint8Array | undefined
  /** A passage scores by every term of which it has a form. With only terms to leave out it is looked for by `vector` alone. */
  readonly terms?: readonly QueryTerm[] | undefined
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

export interface Frequencies {
  readonly chunks: number
  readonly counts: readonly number[]
}

export interface ContentsQuery {
  /** Only of this document. */
  readonly document_id?: string | undefined
  /** Those behind this `chunk_id`. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface IndexedChunk {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
  readonly has_vector: boolean
}

/**
 * The port of a search index, one part per space. It is derived from Postgres and may be lost at any time: its user compares `state`
 * with Postgres, adds what is missing, and checks every candidate in Postgres before it shows it.
 */
export interface SearchIndex extends AsyncDisposable {
  /** `undefined` when this space has no usable part. */
  state(spaceId: string): Promise<IndexState | undefined>
  /** Empties the part and sets `seq` to 0. */
  reset(spaceId: string, start: Pick<IndexState, 'epoch' | 'model'>): Promise<IndexState>
  /** Adds chunks; adding one again changes nothing. */
  add(spaceId: string, base: IndexState, entries: readonly IndexEntry[]): Promise<Added>
  /** Removes what the given versions replace and sets `seq`. Returns false when the index was not at `base` any more. */
  advance(spaceId: string, base: IndexState, seq: number, versions: readonly IndexedVersion[]): Promise<boolean>
  /** Best first. Empty for a space without a part. */
  search(spaceId: string, query: IndexQuery): Promise<Candidates>
  /** In how many chunks each term stands, and how many chunks there are. */
  frequencies(spaceId: string, terms: readonly string[]): Promise<Frequencies>
  /** What the part of a space holds, by `chunk_id`. */
  contents(spaceId: string, query: ContentsQuery): Promise<readonly IndexedChunk[]>
  /** Rewrites what the storage of a part still holds of chunks that were removed. May take seconds. */
  scrub(spaceId: string): Promise<void>
  /** Erases the part of a space. */
  drop(spaceId: string): Promise<void>
  /**
   * Throws `SERVICE_UNAVAILABLE` with what to do when this process may not use the index. Returns what is the matter with an index that may
   * come back by itself, while this process does what needs none.
   */
  check(): Promise<string | undefined>
}

import type { QueryTerm } from '../../analysis/query.ts'

/** The database that an index follows (`epoch`), what made its vectors and terms (`model`) and the last change that it holds (`seq`). */
export interface IndexState {
  readonly epoch: string
  readonly model: string
  readonly seq: number
}

export interface IndexEntry {
  readonly chunk_id: string
  readonly document_id: string
  readonly generation: number
  /** The terms of title and headings, then those of the text, with spaces between them: letters and digits only. */
  readonly heading: string
  readonly body: string
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
  reset(spaceId: string, start: Pick<IndexState, 'epoch' | 'model'>): Promise<void>
  /** Adds chunks; adding one again changes nothing. Returns false when the index is not at `base` any more. */
  add(spaceId: string, base: IndexState, entries: readonly IndexEntry[]): Promise<boolean>
  /** Removes what the given versions replace and sets `seq`. Returns false as `add` does. */
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
  /** Throws `SERVICE_UNAVAILABLE` with what to do when this process may not use the index. */
  check(): Promise<void>
}

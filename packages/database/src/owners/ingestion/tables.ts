import type { Status } from '@youworker/contracts/common'
import type { FilePurpose } from '@youworker/contracts/documents/stored-files'
import type { Source } from '@youworker/contracts/documents/sources'
import type { GenerationState, IndexAdapterName } from '@youworker/contracts/documents/index-generations'
import type { Stage, TimelineEntry } from '@youworker/contracts/documents/runs'
import type { ColumnType, Generated, Selectable } from 'kysely'
import type { DeletableColumns } from '../../deletion/deletable-tables.ts'
import type { SystemTables } from '../../schema/system-tables.ts'

/** Tables of the schema `ingestion`. Times are ISO-8601 strings, sizes are bytes. */
export interface IngestionTables extends SystemTables {
  /** An upload, or the stored original of a document. `used_at`: when a run took it. */
  blobs: {
    id: string
    space_id: string
    user_id: string
    name: string
    declared_size: number | null
    size: number | null
    pieces: number | null
    sha256: string | null
    created_at: Generated<string>
    finished_at: string | null
    used_at: string | null
    /** Of one that goes on after a cut; others are swept an hour after their end. */
    expires_at: string | null
  }
  /** Sealed parts of 256 KiB; `size` is that of the clear bytes. */
  blob_pieces: { blob_id: string; index: number; space_id: string; size: number; sealed: Buffer; stored_at: Generated<string> }
  /** Pages of files as pictures, sealed; made again when they are missing. */
  previews: {
    blob_id: string
    page: number
    space_id: string
    pages: number
    sealed: Buffer
    created_at: Generated<string>
  }
  /** The domain half of a run; its state is the `jobs` row of the same id. Lives in its user's own space. */
  runs: {
    id: string
    space_id: string
    user_id: string
    target_space_id: string
    tags: string[]
    collection: string | null
    /** Of a collection of others, outside which the run sees nothing of their space. */
    collection_id: string | null
    group_id: string | null
    is_private: boolean
    created_at: Generated<string>
    started_at: string | null
    /** How often in a row it has waited for something that is away. */
    waits: Generated<number>
  }
  /** `checkpoint`: what is stored of its way, so that another worker goes on behind it. `read_tries`: how often its reading was begun and has no known end; `pipeline`: what its chunks are staged by; `reader_deaths`: how often it killed the process that read it. */
  run_files: {
    run_id: string
    index: number
    space_id: string
    path: string
    uri: string
    mime: string | null
    size_bytes: number
    blob_id: string | null
    document_id: string | null
    chunks: Generated<number>
    status: Status
    stage: Stage
    percent: Generated<number>
    error: string | null
    read_tries: Generated<number>
    reader_deaths: Generated<number>
    checkpoint: Checkpoint | null
    pipeline: string | null
    title: string | null
    sha256: string | null
    timeline: ColumnType<TimelineEntry[], string | undefined, string>
  }
  /** The chunks of a file on its way to be a document, of which nothing is shown yet. */
  staged_chunks: ChunkText & { run_id: string; file_index: number; space_id: string }
  /** How a version of a document came to be; kept when its run is deleted. */
  document_timelines: {
    document_id: string
    run_id: string
    file_index: number
    space_id: string
    entries: TimelineEntry[]
    created_at: Generated<string>
  }
  /** What a run fetches itself, before it is ingested. Lives in its user's own space, like the run. */
  run_sources: {
    run_id: string
    space_id: string
    source: Exclude<Source, 'upload'>
    /** A URL, or a path below the open folder of the server. */
    target: string
    recursive: boolean
    max_depth: number
    max_pages: number
  }
  /** What is to be fetched, in the order in which it was found; deleted when all of it is stored. */
  source_pages: { run_id: string; n: number; space_id: string; target: string; depth: number; is_done: Generated<boolean> }
  /**
   * One per path and space, beside those that are deleted. `generation` counts its versions; only chunks of the current one are ever shown.
   * `pipeline`: how it was read, empty before it was. `purpose`, `expires_at`: of one that came as a file of OpenAI's protocol.
   */
  documents: {
    id: string
    space_id: string
    user_id: string
    path: string
    path_hash: string
    uri: string
    title: string
    mime: string
    bytes_size: number
    source: Source
    tags: string[]
    collection: string | null
    group_id: string | null
    is_private: boolean
    blob_id: string
    sha256: string
    pipeline: string
    generation: number
    chunk_count: number
    purpose: Generated<FilePurpose | null>
    expires_at: Generated<string | null>
    created_at: Generated<string>
    last_ingested_at: Generated<string>
  } & DeletableColumns
  /** `start` and `end` are UTF-16 offsets into the document's text. `text_hash` names the embedding, `language` is ISO 639-1 or `und`. */
  chunks: ChunkText & { space_id: string; document_id: string; generation: number }
  /** Names of tags that documents of the space have, or had; the documents hold the names. Case-folded. */
  tags: { id: Generated<string>; space_id: string; name: string; created_at: Generated<string> }
  /**
   * Users outside the space of a collection who may read it, or write to it. `group_id`: whose it is, unless it is a user's own. Paused
   * while the group is deleted and can be restored.
   */
  collection_grants: {
    collection_id: string
    space_id: string
    user_id: string
    group_id: string | null
    name: string
    role: 'reader' | 'writer'
    created_at: Generated<string>
    paused_at: string | null
  }
  /** The same of collections. `facts`: sealed JSON of what a client tells of one as a vector store; `expires_after`: in days. */
  collections: {
    id: Generated<string>
    space_id: string
    name: string
    created_at: Generated<string>
    facts: Generated<Buffer | null>
    expires_after: Generated<number | null>
    last_active_at: Generated<string | null>
  }
  /**
   * Documents that were put into a collection as files of a vector store, beside those that only have its label. `run_id`, `run_index`: the
   * file of the run that reads it; `refused`: why it cannot be read at all. `attributes`: sealed JSON.
   */
  store_files: {
    collection_id: string
    document_id: string
    space_id: string
    user_id: string
    run_id: string | null
    run_index: number | null
    refused: string | null
    attributes: Buffer | null
    created_at: Generated<string>
  }
  /** Files that were put into a vector store together, and the runs that were begun for it. */
  file_batches: {
    id: string
    collection_id: string
    space_id: string
    user_id: string
    run_ids: string[]
    created_at: Generated<string>
    cancelled_at: string | null
  }
  batch_files: { batch_id: string; document_id: string; space_id: string }
  /** What a job of kind `labels` does, under its id: documents with the old name get the new one, or none. */
  label_changes: { id: string; space_id: string; kind: 'tag' | 'collection'; old_name: string; new_name: string | null }
  /** Vectors as little-endian float32, by model and SHA-256 of the embedded text. */
  embeddings: { space_id: string; model: string; text_hash: string; vector: Buffer }
  /** The counter that the space's index file follows. `epoch` tells apart two databases with the same numbers. */
  space_indexes: {
    space_id: string
    epoch: Generated<string>
    seq: number
    languages: Generated<string[]>
    erased_at: string | null
  }
  /** The last change of each document, also of deleted ones, for index files that are behind. */
  index_changes: { space_id: string; document_id: string; seq: number; changed_at: Generated<string> }
  /** The search index as a whole; `number` names where an adapter keeps it. `vectors` names its vectors in `embeddings`, `terms` and `layout` are versions. */
  index_generations: {
    number: number
    adapter: IndexAdapterName
    embed_model: string
    vectors: string
    terms: number
    layout: number
    state: GenerationState
    /** Fills it. */
    job_id: string
    /** What keeps it from being filled. */
    problem: string | null
    created_at: Generated<string>
    activated_at: string | null
    retired_at: string | null
  }
}

interface ChunkText {
  id: string
  index: number
  text: string
  title_path: string[]
  page: number | null
  start: number
  end: number
  text_hash: string
  language: string | null
  /** Of a recording, in seconds. */
  time_start: number | null
  time_end: number | null
}

/** The `pipeline` of a document that nothing was read of. */
export const NOT_READ = ''

export type SourceRow = Selectable<IngestionTables['run_sources']>
export type SourcePageRow = Selectable<IngestionTables['source_pages']>
export type BlobRow = Selectable<IngestionTables['blobs']>
export type RunRow = Selectable<IngestionTables['runs']>
export type RunFileRow = Selectable<IngestionTables['run_files']>
export type CollectionRow = Selectable<IngestionTables['collections']>
export type BatchRow = Selectable<IngestionTables['file_batches']>
export type DocumentRow = Selectable<IngestionTables['documents']>
/** `chunked`: all chunks are staged. `embedded`: they have vectors, too. */
export type Checkpoint = 'chunked' | 'embedded'

export type StagedChunkRow = Selectable<IngestionTables['staged_chunks']>

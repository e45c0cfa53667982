import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { NewPage } from '../../repositories/source-repository.ts'

/** One file of a source that was stored, with what it refers to. */
export interface GatheredFile {
  readonly blob: BlobRow
  readonly head: Uint8Array
  readonly path: string
  readonly uri: string
  /** As its server says. */
  readonly mime: string | undefined
  readonly links: readonly NewPage[]
}

/** One attempt to gather from a source. All throw 4xx codes or `EXTERNAL_SERVICE_ERROR` when the source is the cause. */
export interface SourceFiles {
  /** What to begin with. */
  first(): Promise<NewPage[]>
  /** `undefined`: it is to be left out without a word. */
  load(page: NewPage, known: ReadonlySet<string>): Promise<GatheredFile | undefined>
  /** How a page that cannot be fetched is named. */
  nameOf(target: string): { readonly path: string; readonly uri: string }
  readonly maxFiles: number
}

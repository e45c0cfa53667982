import type { IndexAdapterName } from '@youworker/contracts/documents/index-generations'
import type { GenerationRow } from '../../../repositories/generation-repository.ts'
import type { SearchIndex } from '../search-index.ts'

/** Says which index. Number 1 is what there was before there were others. */
export type IndexIdentity = Pick<GenerationRow, 'number' | 'vectors' | 'created_at'>

/** Where search indexes are kept. Each generation is one index of its own. */
export interface IndexAdapter {
  /** This version cannot read an index of another one. */
  readonly layout: number
  /** `dimensions`: how many numbers a vector has, for an index that has to know. */
  open(which: IndexIdentity, dimensions: () => Promise<number>): SearchIndex
  /** The index is the one that is searched from now on. */
  activate(which: IndexIdentity): Promise<void>
  /** Erases an index with all its spaces. One that is not there is no error. */
  erase(which: IndexIdentity): Promise<void>
  /** Numbers of indexes of which something is there, but those of other installations. */
  numbers(): Promise<readonly number[]>
  /** Of one with a number that no generation has. */
  eraseNumber(number: number): Promise<void>
  /** Spaces of which an index has a part, as far as that can be told without asking for each. */
  spaces(which: IndexIdentity): Promise<readonly string[]>
}

/** Those that the settings name. */
export type IndexAdapters = Readonly<Partial<Record<IndexAdapterName, IndexAdapter>>>

import { LRUCache } from 'lru-cache'
import type { PostingPage } from './terms/posting-page.ts'
import type { PageCache } from './terms/segments.ts'
import { CodeMemory } from './vectors/code-memory.ts'
import type { RecentVectors } from './vectors/recent-vectors.ts'

/** In bytes, of one thread. Codes: those of half a million chunks with 384 dimensions. */
const MOST = { codes: 104 * 1024 ** 2, pages: 32 * 1024 ** 2, recent: 24 * 1024 ** 2 }

/** What a thread remembers of the files that it reads. */
export class ReaderCaches {
  readonly codes = new CodeMemory(MOST.codes)
  /** By what reads them. */
  readonly recent = new LRUCache<object, RecentVectors>({
    maxSize: MOST.recent,
    sizeCalculation: ({ byteLength }) => byteLength || 1,
  })
  readonly #pages = new LRUCache<string, PostingPage>({ maxSize: MOST.pages, sizeCalculation: ({ byteLength }) => byteLength })

  /** Those of a file that says `version` of its pages. */
  pagesOf(version: number): PageCache {
    return {
      get: (row) => this.#pages.get(`${version} ${row}`),
      set: (row, page) => void this.#pages.set(`${version} ${row}`, page),
    }
  }
}

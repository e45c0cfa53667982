import { SpokenTime } from '@youworker/contracts/common'
import type { Citation } from '@youworker/contracts/agent/run-log'
import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import { SearchAnswer, SearchedSpaces } from '@youworker/contracts/documents/search'
import { z } from 'zod'
import { cutText } from '@youworker/runtime/text/text'

const SNIPPET = 300

/** One result in the structuredContent of `knowledge_search`. */
export const SearchHit = z.object({
  document_id: z.uuid(),
  chunk_id: z.string().max(128),
  title: z.string(),
  uri: z.string(),
  page: z.number().int().nullish(),
  time: SpokenTime.optional(),
  start: z.number().int().min(0).nullish(),
  end: z.number().int().min(0).nullish(),
  score: z.number(),
  snippet: z.string(),
  text: z.string(),
  /** Of a search in named collections. */
  file: z.object({ name: z.string(), attributes: Attributes }).nullish(),
})
export type SearchHit = z.infer<typeof SearchHit>
export const SearchResults = z.object({
  results: z.array(SearchHit).max(100),
  searched: SearchedSpaces,
  incomplete: SearchAnswer.shape.incomplete,
})

/** The hits of one run, numbered from 1 across all its searches; the same chunk keeps its number. */
export class CitationBook {
  readonly #numbers = new Map<string, number>()
  readonly #hits: SearchHit[] = []

  #isForgotten = false

  readonly isHit = (index: number): boolean => !this.#isForgotten && index >= 1 && index <= this.#hits.length

  get isEmpty(): boolean {
    return this.#hits.length === 0
  }

  /** The user may not read it any more: nothing is cited from now on. */
  get isForgotten(): boolean {
    return this.#isForgotten
  }

  has(documentId: string): boolean {
    return this.#hits.some(({ document_id }) => document_id === documentId)
  }

  forget(): void {
    this.#isForgotten = true
  }

  /** Returns the numbered passages for the model to read. */
  add(hits: readonly SearchHit[]): string {
    return hits.map((hit) => this.#passage(hit)).join('\n\n')
  }

  /** Exactly the hits whose `[n]` is in the text. */
  citedIn(text: string): Citation[] {
    if (this.#isForgotten) return []
    const numbers = new Set([...text.matchAll(/\[(\d+)\]/g)].map(([, digits]) => digits))
    return this.#hits.flatMap((hit, index) => (numbers.has(String(index + 1)) ? [toCitation(hit, index + 1)] : []))
  }

  #passage(hit: SearchHit): string {
    const number = this.#numbers.get(hit.chunk_id) ?? this.#hits.push(hit)
    this.#numbers.set(hit.chunk_id, number)
    const page = hit.page ? `, p. ${hit.page}` : ''
    const time = hit.time ? `, at ${clock(hit.time.start)}` : ''
    return `[${number}] ${hit.title}${page}${time}\n${hit.text}`
  }
}

/** As `1:02:03` or `2:03`. */
function clock(seconds: number): string {
  const [hours, minutes, rest] = [seconds / 3_600, (seconds / 60) % 60, seconds % 60].map(Math.floor)
  const [mm, ss] = [String(minutes), String(rest).padStart(2, '0')]
  return hours ? `${hours}:${mm.padStart(2, '0')}:${ss}` : `${mm}:${ss}`
}

const toCitation = (
  { document_id, chunk_id, title, uri, page, time, start, end, score, snippet }: SearchHit,
  index: number,
): Citation => ({
  index,
  document_id,
  title,
  uri,
  ...(page ? { page } : {}),
  ...(time ? { time } : {}),
  chunk_id,
  ...(start == null || end == null ? {} : { start, end }),
  score,
  snippet: cutText(snippet, SNIPPET, '…'),
})

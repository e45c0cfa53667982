import { z } from 'zod'
import { Id } from '../common.ts'
import { AttributeFilter } from '../documents/attribute-filter.ts'
import type { FoundPassage } from './found-passage.ts'
import type { RunEntryBody, ToolEvent } from './run-log.ts'
import { type Thought, Thoughts } from './thoughts.ts'

/** Where a run searches in place of all documents of the user: only in files of these collections. */
export const FileSearch = z.object({
  collection_ids: z.array(Id).min(1).max(16),
  filters: AttributeFilter.optional(),
  top_k: z.number().int().min(1).max(50).optional(),
  min_score: z.number().min(0).max(1).optional(),
  /** What was found is told in the run's log. */
  with_results: z.boolean().optional(),
})
export type FileSearch = z.infer<typeof FileSearch>

/** One search of a run. `at`: where in the text of the answer it began, in UTF-16 units; `behind`: so many thoughts had begun before it. */
export interface SearchMade {
  readonly at: number
  readonly behind: number
  readonly query: string
  status: 'searching' | 'completed' | 'failed'
  results: readonly FoundPassage[] | undefined
}

/** Collects from the entries of a run, which must come in the order of their numbers, what comes beside the answer's text. */
export class AnswerParts {
  readonly #thoughts = new Thoughts()
  readonly #searches = new Map<string, SearchMade>()
  #at = 0

  get thoughts(): readonly Readonly<Thought>[] {
    return this.#thoughts.all
  }

  get thinking(): string {
    return this.#thoughts.text
  }

  get searches(): readonly Readonly<SearchMade>[] {
    return [...this.#searches.values()]
  }

  add(body: RunEntryBody): void {
    this.#thoughts.add(body)
    if (body.event === 'token') this.#at += body.data.text.length
    else if (body.event === 'rewind') this.#at = body.data.offset
    else if (body.event === 'tool') this.#addTool(body.data)
  }

  #addTool(event: ToolEvent): void {
    const search = this.#searches.get(event.run_id)
    if (event.status !== 'start') {
      if (!search) return
      search.status = event.status === 'end' ? 'completed' : 'failed'
      search.results = event.found
    } else if (event.file_search && !search) {
      const { query } = event.args
      const of = { at: this.#at, behind: this.#thoughts.all.length, query: typeof query === 'string' ? query : '' }
      this.#searches.set(event.run_id, { ...of, status: 'searching', results: undefined })
    }
  }

  /** The number of the search that a tool event belongs to, from 0. */
  numberOf(toolRunId: string): number | undefined {
    const at = [...this.#searches.keys()].indexOf(toolRunId)
    return at === -1 ? undefined : at
  }
}

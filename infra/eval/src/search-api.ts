import { setTimeout as sleep } from 'node:timers/promises'
import { IngestionRun } from '@youworker/contracts/documents/runs'
import { DEEPEST_HIT, SearchAnswer, type SearchQuery } from '@youworker/contracts/documents/search'
import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'

const PAGE = 100
const Accepted = z.object({ run_id: z.string() })

/** The gateway as a user with a key sees it. */
export class SearchApi {
  readonly #api: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(api: string, key: string) {
    this.#api = api
    this.#headers = { 'x-api-key': key }
  }

  /** Resolves when all documents can be found. Throws when one of them was not read. */
  async upload(documents: ReadonlyMap<string, string>, collection: string, onProgress: (done: number) => void): Promise<void> {
    const all = [...documents].filter(([, text]) => text !== '')
    for (let at = 0; at < all.length; at += LIMITS.runFiles) {
      const form = new FormData()
      form.append('wait', 'false')
      form.append('collection', collection)
      for (const [id, text] of all.slice(at, at + LIMITS.runFiles)) form.append('files', new Blob([text]), fileName(id))
      const { run_id } = Accepted.parse(await this.#json('/v1/ingest/upload', { method: 'POST', body: form }))
      await this.#ended(run_id)
      onProgress(Math.min(all.length, at + LIMITS.runFiles))
    }
  }

  /** Ids of documents, best first, at most 1,000. */
  async search(query: string, mode: SearchQuery['mode'], collection: string): Promise<string[]> {
    const found = new Set<string>()
    for (let offset: number | undefined = 0; offset !== undefined && offset < DEEPEST_HIT;) {
      const body = JSON.stringify({ query, mode, collection, top_k: Math.min(PAGE, DEEPEST_HIT - offset), offset })
      const headers = { 'content-type': 'application/json' }
      const answer: SearchAnswer = SearchAnswer.parse(await this.#json('/v1/search', { method: 'POST', body, headers }))
      for (const { title, also_in = [] } of answer.results) {
        found.add(idOf(title))
        for (const twin of also_in) found.add(idOf(twin.title))
      }
      offset = answer.next_offset
    }
    return [...found]
  }

  async #ended(runId: string): Promise<void> {
    for (;;) {
      const run = IngestionRun.parse(await this.#json(`/v1/ingestion-runs/${runId}`))
      if (run.status === 'success') return
      if (run.status !== 'pending' && run.status !== 'running')
        throw new Error(`documents were not read: ${run.errors.slice(0, 3).join('; ')}`)
      await sleep(200)
    }
  }

  /** Asks again when the system is busy. */
  async #json(path: string, init: Call = {}): Promise<unknown> {
    for (;;) {
      const response = await fetch(`${this.#api}${path}`, { ...init, headers: { ...init.headers, ...this.#headers } })
      if (response.ok) return response.json()
      const text = await response.text()
      const wait = Number(response.headers.get('retry-after') ?? Number.NaN)
      if (![429, 503].includes(response.status) || Number.isNaN(wait)) throw new Error(`${path}: ${response.status} ${text}`)
      await sleep(wait * 1_000)
    }
  }
}

interface Call {
  readonly method?: 'POST'
  readonly body?: string | FormData
  readonly headers?: Readonly<Record<string, string>>
}

/** The title of a plain text is its file name; the letter before the id keeps numbers of documents from matching those of questions. */
const fileName = (id: string): string => `d${encodeURIComponent(id)}.txt`
const idOf = (title: string): string => decodeURIComponent(title.replace(/^d/, '').replace(/\.txt$/, ''))

import { openAsBlob } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Done } from '@youworker/contracts/agent/run-log'
import { IngestionRun } from '@youworker/contracts/documents/runs'
import { SearchAnswer } from '@youworker/contracts/documents/search'
import { UploadState } from '@youworker/contracts/documents/uploads'
import { z } from 'zod'
import type { GivenFile } from './collect-files.ts'
import { readEvents, type ServerEvent } from './server-events.ts'

const ErrorBody = z.object({
  error: z.object({
    message: z.string(),
    code: z.string(),
    details: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  }),
})
/** How long requests are repeated that get 503, or no answer because the connection broke. */
const PATIENCE_MS = 20_000
const TUS = { 'tus-resumable': '1.0.0' } as const
const Accepted = z.object({ run_id: z.string() })

/** An error response of the gateway. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  /** One message per invalid field, or per file of an upload. */
  readonly details: readonly { field: string; message: string }[]

  constructor(status: number, body: z.infer<typeof ErrorBody>['error']) {
    super(body.message)
    this.status = status
    this.code = body.code
    this.details = body.details ?? []
  }
}

/** An HTTP client of the gateway with an API key. */
export class GatewayClient {
  readonly #api: string
  readonly #headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal

  constructor(api: string, apiKey: string, signal: AbortSignal) {
    this.#api = api
    this.#headers = { 'x-api-key': apiKey }
    this.signal = signal
  }

  async whoAmI(): Promise<string> {
    return z.object({ username: z.string() }).parse(await this.#json('/v1/auth/me')).username
  }

  /** How many documents the caller may read, in one collection or in all. */
  async countDocuments(collection?: string): Promise<number> {
    const filter = new URLSearchParams({ limit: '1', ...(collection === undefined ? {} : { collection }) })
    return z.object({ total: z.number() }).parse(await this.#json(`/v1/documents?${filter.toString()}`)).total
  }

  /** Starts an ingestion run; returns its id. */
  async upload(files: readonly GivenFile[], collection?: string): Promise<string> {
    const form = new FormData()
    form.append('wait', 'false')
    if (collection !== undefined) form.append('collection', collection)
    for (const { path, name } of files) form.append('files', await openAsBlob(path), name)
    return Accepted.parse(await this.#json('/v1/ingest/upload', { method: 'POST', body: form })).run_id
  }

  /** Begins a resumable upload (tus 1.0); returns its id. */
  async beginUpload(name: string, size: number): Promise<string> {
    const filename = Buffer.from(name).toString('base64')
    const headers = { ...TUS, 'upload-length': String(size), 'upload-metadata': `filename ${filename}` }
    return UploadState.parse(await this.#json('/v1/uploads', { method: 'POST', headers })).id
  }

  /** How many bytes of an upload arrived. */
  async uploadedBytes(id: string): Promise<number> {
    return UploadState.parse(await this.#json(`/v1/uploads/${id}`)).offset
  }

  /** Adds bytes at the end of an upload; returns where it ends then. */
  async appendUpload(id: string, offset: number, bytes: Blob): Promise<number> {
    const headers = { ...TUS, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
    const { headers: answered } = await this.#request(`/v1/uploads/${id}`, { method: 'PATCH', headers, body: bytes })
    return Number(answered.get('upload-offset'))
  }

  /** Starts an ingestion run with a finished upload; returns its id. */
  async ingestUpload(id: string, collection?: string): Promise<string> {
    const body = JSON.stringify({ upload_ids: [id], wait: false, collection })
    return Accepted.parse(
      await this.#json('/v1/ingest/uploads', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    ).run_id
  }

  async ingestionRun(id: string): Promise<IngestionRun> {
    return IngestionRun.parse(await this.#json(`/v1/ingestion-runs/${id}`))
  }

  async search(query: string): Promise<SearchAnswer['results']> {
    const body = JSON.stringify({ query, top_k: 20 })
    return SearchAnswer.parse(
      await this.#json('/v1/search', { method: 'POST', body, headers: { 'content-type': 'application/json' } }),
    ).results
  }

  /** Yields the events of one chat turn up to `done`. Resumes after the last event when the connection breaks. */
  async *chat(question: string): AsyncGenerator<ServerEvent> {
    let runId: string | undefined
    let last = 0
    for (let tries = 0; ; tries++) {
      try {
        const response = await (runId === undefined
          ? this.#startChat(question)
          : this.#request(`/v1/runs/${runId}/events?after=${last}`))
        for await (const event of readEvents(response)) {
          if (event.event === 'run') runId = z.object({ run_id: z.string() }).parse(event.data).run_id
          last = event.id ?? last
          yield event
          if (event.event === 'done') return
          tries = 0
        }
      } catch (error) {
        const isRetryable = error instanceof ApiError ? error.status >= 500 : true
        if (this.signal.aborted || runId === undefined || tries >= 20 || !isRetryable) throw error
      }
      if (runId === undefined || tries >= 20) throw new Error('the answer ended before it was complete')
      await sleep(500, undefined, { signal: this.signal })
    }
  }

  static readDone(event: ServerEvent): Done {
    return Done.parse(event.data)
  }

  #startChat(question: string): Promise<Response> {
    const body = JSON.stringify({ messages: [{ role: 'user', content: question }], stream: true })
    return this.#request('/v1/chat', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  }

  async #json(path: string, init?: Call): Promise<unknown> {
    return (await this.#request(path, init)).json()
  }

  /** Repeats the request on 503 with Retry-After. The idempotency key keeps a repeated POST from taking effect twice. */
  async #request(path: string, init: Call = {}): Promise<Response> {
    const idempotency = init.method === 'POST' ? { 'idempotency-key': crypto.randomUUID() } : {}
    const headers = { ...init.headers, ...this.#headers, ...idempotency }
    for (const until = Date.now() + PATIENCE_MS; ;) {
      const sent = fetch(`${this.#api}${path}`, { ...init, headers, signal: this.signal })
      const response = await sent.catch((error: unknown) => {
        if (!isNetworkError(error) || init.body instanceof Blob || Date.now() > until) throw error
        return undefined
      })
      if (response === undefined) {
        await sleep(500, undefined, { signal: this.signal })
        continue
      }
      if (response.ok) return response
      const text = await response.text()
      const wait = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000
      if (response.status === 503 && Date.now() + wait < until) {
        await sleep(Math.min(wait, 1_000), undefined, { signal: this.signal })
        continue
      }
      const parsed = ErrorBody.safeParse(parseJson(text))
      throw new ApiError(
        response.status,
        parsed.success ? parsed.data.error : { message: text.slice(0, 300), code: String(response.status) },
      )
    }
  }
}

interface Call {
  readonly method?: 'POST' | 'PATCH'
  readonly body?: string | FormData | Blob
  readonly headers?: Readonly<Record<string, string>>
}

/** fetch throws a TypeError with a cause for every network error. */
export const isNetworkError = (error: unknown): boolean => error instanceof TypeError && error.cause !== undefined

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

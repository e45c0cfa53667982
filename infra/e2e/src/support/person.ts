import type { Done, RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { ErrorCode } from '@youworker/contracts/errors'
import { expect } from 'vitest'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // Each test knows the shape of the response.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface SseEvent {
  readonly id: number
  readonly event: RunEntryBody['event']
  // Each test knows the shape of the event.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly data: any
}

interface Upload {
  readonly name: string
  readonly content: string | Uint8Array
  readonly mime?: string
}

/** A user who calls the gateway over HTTP with an API key, or an anonymous one without a key. */
export class Person {
  readonly api: string
  readonly id: string
  readonly key: string | undefined

  constructor(api: string, id: string, key?: string) {
    this.api = api
    this.id = id
    this.key = key
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.key !== undefined && !headers.has('x-api-key')) headers.set('x-api-key', this.key)
    return fetch(`${this.api}${path}`, { ...init, headers })
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.fetch(path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return readAnswer(response)
  }

  get(path: string): Promise<Answer> {
    return this.call('GET', path)
  }

  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> {
    return this.call('POST', path, body, headers)
  }

  async upload(files: readonly Upload[], fields: Record<string, string> = { wait: 'true' }): Promise<Answer> {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    for (const { name, content, mime = '' } of files)
      form.append('files', new Blob([typeof content === 'string' ? content : new Uint8Array(content)], { type: mime }), name)
    return readAnswer(await this.fetch('/v1/ingest/upload', { method: 'POST', body: form }))
  }

  /** Sends a chat message and reads the stream to its end. */
  async chat(
    text: string,
    more: Record<string, unknown> = {},
  ): Promise<{ events: SseEvent[]; done: Done; runId: string; sessionId: string }> {
    const response = await this.fetch('/v1/chat', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text_input: text, ...more }),
    })
    if (!response.ok) throw new Error(`POST /v1/chat: ${response.status} ${await response.text()}`)
    const events = await Array.fromAsync(readEvents(response))
    const done = events.find(({ event }) => event === 'done')?.data as Done | undefined
    const run = events.find(({ event }) => event === 'run')?.data as { run_id: string; session_id: string } | undefined
    if (!done || !run) throw new Error(`the stream ended without run or done: ${JSON.stringify(events)}`)
    return { events, done, runId: run.run_id, sessionId: run.session_id }
  }
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text }
}

/** Yields server-sent events (WHATWG HTML, 9.2.6), of the subset that the gateway sends. */
export async function* readEvents(response: Response): AsyncGenerator<SseEvent> {
  let pending = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    pending += decoder.decode(chunk, { stream: true })
    const blocks = pending.split('\n\n')
    pending = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]
      const [id, event, data] = [field('id'), field('event'), field('data')]
      if (event !== undefined && data !== undefined)
        yield { id: Number(id), event: event as SseEvent['event'], data: JSON.parse(data) }
    }
  }
}

/** The answer's text after all tokens and rewinds of a stream. */
export function textOf(events: readonly SseEvent[]): string {
  let text = ''
  for (const { event, data } of events) {
    if (event === 'token') text += data.text
    if (event === 'rewind') text = text.slice(0, data.offset)
  }
  return text
}

/** Matches the body of every error response. */
export const failure = (code: ErrorCode) => ({
  error: { code, message: expect.any(String), type: expect.any(String), correlation_id: expect.any(String) },
})

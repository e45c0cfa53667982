import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than any request may take, so that a hang is seen as one. */
const GIVE_UP_MS = 30_000

export interface Reply {
  readonly status: number
  // Read only where the shape is known.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

/** HTTP as a client of the system does it, with the root key. */
export class Client {
  readonly #api: string
  readonly #key: string
  /** How long the slowest request took until its answer began. May be set back to 0. */
  longestMs = 0

  constructor(api: string, key: string) {
    this.#api = api
    this.#key = key
  }

  async fetch(path: string, init: RequestInit = {}, timeoutMs = GIVE_UP_MS): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('x-api-key', this.#key)
    const began = performance.now()
    try {
      return await fetch(`${this.#api}${path}`, { ...init, headers, signal: AbortSignal.timeout(timeoutMs) })
    } finally {
      this.longestMs = Math.max(this.longestMs, performance.now() - began)
    }
  }

  async call(method: string, path: string, body?: unknown): Promise<Reply> {
    const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    const response = await this.fetch(path, { method, ...json })
    return { status: response.status, body: await response.json() }
  }

  async upload(name: string, text: string): Promise<Reply> {
    const form = new FormData()
    form.append('wait', 'false')
    form.append('files', new Blob([text]), name)
    return this.uploadForm(form)
  }

  async uploadForm(form: FormData): Promise<Reply> {
    const response = await this.fetch('/v1/ingest/upload', { method: 'POST', body: form })
    return { status: response.status, body: await response.json() }
  }

  /** The items of all pages of a list, whose shape the caller knows. */
  // oxlint-disable-next-line typescript/no-explicit-any
  async list(path: string, field: string): Promise<any[]> {
    const items = []
    for (;;) {
      const { status, body } = await this.calmly('GET', `${path}?limit=200&offset=${items.length}`)
      if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`)
      items.push(...body[field])
      if (body[field].length === 0 || items.length >= body.total) return items
    }
  }

  /** For counting afterwards: what is busy or was just restarted is asked again. */
  async calmly(method: string, path: string, body?: unknown): Promise<Reply> {
    for (let tries = 1; ; tries += 1) {
      const reply = await this.call(method, path, body).catch(() => undefined)
      if (reply && reply.status < 429) return reply
      if (tries === 40) return reply ?? { status: 0, body: undefined }
      await sleep(500)
    }
  }
}

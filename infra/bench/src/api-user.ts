import type { Endpoints } from './system.ts'

/** Calls the gateway with an API key. Throws when an answer is not 2xx. */
export class ApiUser {
  readonly id: string
  readonly #api: string
  readonly #key: string

  constructor(api: string, id: string, key: string) {
    this.#api = api
    this.id = id
    this.#key = key
  }

  static root({ api, root_api_key }: Endpoints): ApiUser {
    return new ApiUser(api, '', root_api_key)
  }

  /** For root: makes a user. */
  async addUser(username: string, more: { readonly password?: string } = {}): Promise<ApiUser> {
    const { id, api_key } = (await this.post('/v1/admin/users', { username, ...more })) as { id: string; api_key: string }
    return new ApiUser(this.#api, id, api_key)
  }

  get headers(): Readonly<Record<string, string>> {
    return { 'x-api-key': this.#key }
  }

  get(path: string): Promise<unknown> {
    return this.#send('GET', path)
  }

  post(path: string, body: unknown, more: Readonly<Record<string, string>> = {}): Promise<unknown> {
    return this.#send('POST', path, body, more)
  }

  /** Begins a session, as a browser does. */
  signIn(): Promise<unknown> {
    return this.post('/v1/auth/login', { api_key: this.#key })
  }

  delete(path: string): Promise<unknown> {
    return this.#send('DELETE', path)
  }

  /** Resolves when the files are searchable. */
  async upload(files: Readonly<Record<string, string>>): Promise<void> {
    const form = new FormData()
    form.append('wait', 'true')
    for (const [name, content] of Object.entries(files)) form.append('files', new Blob([content]), name)
    await this.#read(await fetch(`${this.#api}/v1/ingest/upload`, { method: 'POST', headers: this.headers, body: form }))
  }

  /** Resolves to the id of the run. */
  async beginUpload(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
    const form = new FormData()
    form.append('wait', 'false')
    for (const [name, bytes] of files) form.append('files', new Blob([Uint8Array.from(bytes)]), name)
    const answer = await fetch(`${this.#api}/v1/ingest/upload`, { method: 'POST', headers: this.headers, body: form })
    const { run_id } = (await this.#read(answer)) as { readonly run_id: string }
    return run_id
  }

  async #send(method: string, path: string, body?: unknown, more?: Readonly<Record<string, string>>): Promise<unknown> {
    const headers = { ...this.headers, 'content-type': 'application/json', ...more }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return this.#read(await fetch(`${this.#api}${path}`, { method, headers, ...sent }))
  }

  async #read(response: Response): Promise<unknown> {
    const text = await response.text()
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${text}`)
    return response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
  }
}

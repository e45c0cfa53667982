/** An HTTP client that stores cookies and sends them back, like a browser. */
export class Browser {
  readonly #api: string
  readonly cookies = new Map<string, string>()

  constructor(api: string) {
    this.#api = api
  }

  get cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('content-type', 'application/json')
    headers.set('cookie', this.cookieHeader)
    return fetch(`${this.#api}${path}`, { ...init, headers })
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await this.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (value === '' || /max-age=0/i.test(cookie)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  /** Signs in and returns the CSRF token. */
  async signIn(username: string, password: string): Promise<string> {
    const { status, body } = await this.call('POST', '/v1/auth/login', { username, password })
    if (status !== 200) throw new Error(`no sign-in for ${username}: ${status}`)
    return body.csrf_token
  }
}

import { RegExpRouter } from 'hono/router/reg-exp-router'
import type { Method, Route } from './define-route.ts'

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

const NO_PARAMS = {}

/** Every spelling of every route. Paths without parameters win: `/v1/groups/me` is no group id. */
export class RouteTable {
  readonly #fixed = new Map<string, Match>()
  readonly #router = new RegExpRouter<Route>()

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      for (const path of [route.path, ...route.aliases]) {
        if (path.includes('{')) this.#router.add(route.method, path.replaceAll(/\{(\w+)\}/g, ':$1'), route)
        else this.#fixed.set(`${route.method} ${path}`, { route, params: NO_PARAMS })
      }
    }
  }

  /** Parameters are as they came: still percent-encoded. */
  match(method: string, path: string): Match | undefined {
    const fixed = this.#fixed.get(`${method} ${path}`)
    if (fixed) return fixed
    const [handlers, values] = this.#router.match(method, path)
    const first = handlers[0]
    if (!first) return undefined
    const [route, names] = first
    const params: Record<string, string> = {}
    for (const [name, at] of Object.entries(names)) {
      params[name] = typeof at === 'number' ? (values?.[at] ?? '') : at
    }
    return { route, params }
  }

  /** For `Allow`; empty when the path is unknown. */
  methodsOf(path: string): string[] {
    const known: string[] = METHODS.filter((method) => this.match(method, path))
    const get = this.match('GET', path)?.route
    if (get && get.media !== 'text/event-stream') known.push('HEAD')
    return known.length > 0 ? [...known, 'OPTIONS'] : []
  }
}

/** `/api/v1/*` is the same as `/v1/*`, and a slash at the end means nothing. */
export function canonicalPath(path: string): string {
  const bare = path.startsWith('/api/v1/') ? path.slice(4) : path
  return bare.length > 1 && bare.endsWith('/') ? bare.slice(0, -1) : bare
}

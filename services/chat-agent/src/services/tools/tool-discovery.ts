import { LRUCache } from 'lru-cache'
import type { ToolConnection, ToolDescription } from './tool-port.ts'

const MAX_SERVERS = 1_000
const FRESH_MS = 60_000
/** The failure of a server that is away is kept for this time. */
const RETRY_MS = 5_000
const DISCOVERY_MS = 5_000

/** The tools of each server, kept for a while for all runs of the process. */
export class ToolDiscovery {
  readonly #known = new LRUCache<string, Promise<ToolDescription[]>>({ max: MAX_SERVERS, ttl: FRESH_MS })

  /** Rejects when the server is away, or was away in the last seconds. */
  async tools(server: string, connection: ToolConnection): Promise<ToolDescription[]> {
    const known = this.#known.get(server)
    if (known) return known
    const tools = connection.listTools(AbortSignal.timeout(DISCOVERY_MS))
    this.#known.set(server, tools)
    tools.catch(() => this.#known.set(server, tools, { ttl: RETRY_MS }))
    return tools
  }
}

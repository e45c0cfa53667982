import type { ToolConnection, ToolDescription } from './tool-port.ts'

const FRESH_MS = 60_000
/** A server that is away is asked again after this time. */
const RETRY_MS = 5_000
const DISCOVERY_MS = 5_000

interface Known {
  readonly until: number
  readonly tools: Promise<ToolDescription[]>
}

/** Remembers for a while which tools each server has, for all runs of the process. */
export class ToolDiscovery {
  readonly #known = new Map<string, Known>()

  /** Rejects when the server is away, also while that is remembered. */
  async tools(server: string, connection: ToolConnection): Promise<ToolDescription[]> {
    const known = this.#known.get(server)
    if (known && known.until > Date.now()) return known.tools
    const tools = connection.listTools(AbortSignal.timeout(DISCOVERY_MS))
    this.#known.set(server, { until: Date.now() + FRESH_MS, tools })
    tools.catch(() => this.#known.set(server, { until: Date.now() + RETRY_MS, tools }))
    return tools
  }
}

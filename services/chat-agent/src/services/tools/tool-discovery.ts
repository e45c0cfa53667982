import { AppError } from '@youworker/contracts/errors'
import { LRUCache } from 'lru-cache'
import type { OutageWait } from '../runs/outage-wait.ts'
import type { McpServer } from './mcp-servers.ts'
import { isAway, type ToolConnection, type ToolDescription, ToolError } from './tool-port.ts'

const MAX_SERVERS = 1_000
const FRESH_MS = 60_000
/** The failure of a server is kept for a moment, so that many runs do not ask at once; longer when it has been away for long. */
const RETRY_MS = { soon: 500, late: 5_000 }
const DISCOVERY_MS = 5_000

/** The tools of each server, kept for a while for all runs of the process. */
export class ToolDiscovery {
  readonly #waitMs: number
  readonly #known = new LRUCache<string, Promise<ToolDescription[]>>({ max: MAX_SERVERS, ttl: FRESH_MS })
  /** What each server said last. */
  readonly #said = new LRUCache<string, ToolDescription[]>({ max: MAX_SERVERS })
  /** By server, the time of its first failure since it last answered. */
  readonly #awaySince = new LRUCache<string, number>({ max: MAX_SERVERS })

  /** `waitMs`: how long runs wait for a server that is away. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  /** Asks every server for its tools, and those that are away again for as long as the run waits. */
  async all(
    servers: readonly McpServer[],
    connections: ReadonlyMap<string, ToolConnection>,
    { wait, signal }: { readonly wait: OutageWait; readonly signal: AbortSignal },
  ) {
    const found = new Map<string, ToolDescription[]>()
    const failed = new Map<string, unknown>()
    const ask = async (server: McpServer): Promise<void> => {
      const connection = connections.get(server.name)
      try {
        if (connection) found.set(server.name, await unlessAborted(this.#tools(server, connection), signal))
        failed.delete(server.name)
      } catch (error) {
        failed.set(server.name, error)
      }
    }
    const askMissing = async (): Promise<void> => {
      await Promise.all(servers.filter(({ name }) => !found.has(name)).map(ask))
      const awaited = servers.find((server) => isAway(failed.get(server.name), true) && this.#isWaitedFor(server))
      if (awaited) throw failed.get(awaited.name)
    }
    await wait.repeat(askMissing, isToolError).catch((error: unknown) => {
      if (!isToolError(error)) throw error
    })
    return { found, failed }
  }

  /** What the servers said last, without asking; `undefined` when one of them never said anything. */
  known(servers: readonly McpServer[]): Map<string, ToolDescription[]> | undefined {
    const said = new Map<string, ToolDescription[]>()
    for (const { name } of servers) {
      const tools = this.#said.get(name)
      if (!tools) return undefined
      said.set(name, tools)
    }
    return said
  }

  /** Rejects when the server is away, or was away a moment ago. */
  async #tools(server: McpServer, connection: ToolConnection): Promise<ToolDescription[]> {
    const { name } = server
    const known = this.#known.get(name)
    if (known) return known
    const tools = connection.listTools(AbortSignal.timeout(DISCOVERY_MS)).catch((error: unknown) => {
      if (error instanceof AppError) throw error
      throw new ToolError('lost', `The tool server ${name} cannot be used now.`, error)
    })
    this.#known.set(name, tools)
    tools.then(
      (said) => {
        this.#said.set(name, said)
        this.#awaySince.delete(name)
      },
      () => {
        if (!this.#awaySince.has(name)) this.#awaySince.set(name, performance.now())
        this.#known.set(name, tools, { ttl: this.#isWaitedFor(server) ? RETRY_MS.soon : RETRY_MS.late })
      },
    )
    return tools
  }

  /** Each run waits for our own servers. A foreign one that stays away must not slow every run. */
  #isWaitedFor({ name, own }: McpServer): boolean {
    const since = this.#awaySince.get(name)
    return own || since === undefined || performance.now() - since < this.#waitMs
  }
}

const isToolError = (error: unknown): boolean => error instanceof ToolError

/** Does not wait for work that other runs share, and that so does not end with the signal of this one. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

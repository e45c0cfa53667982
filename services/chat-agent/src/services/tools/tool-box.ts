import type { FileSearch } from '@youworker/contracts/agent/file-search'
import { AppError } from '@youworker/contracts/errors'
import { BUILT_IN_TOOLS, TOOL_SERVERS } from '@youworker/contracts/agent/tool-servers'
import type { ModelTool } from '../models/model-port.ts'
import type { OutageWait } from '../runs/outage-wait.ts'
import type { AllowedTools, McpServer } from './mcp-servers.ts'
import { type OfferedTool, offersOf, SEARCH, toModelTools } from './offered-tools.ts'
import type { ToolDiscovery } from './tool-discovery.ts'
import { problemOf } from './tool-arguments.ts'
import { isAway, type ToolCallContent, type ToolConnection, ToolError, type ToolPort, type ToolResult } from './tool-port.ts'

interface ToolBoxOptions {
  readonly servers: readonly McpServer[]
  /** Of foreign servers, and of ours those that change something: all others are not offered. */
  readonly allowed: AllowedTools
  readonly port: ToolPort
  readonly discovery: ToolDiscovery
  readonly token: () => Promise<string>
  readonly disable_web: boolean
  readonly only_search: boolean
  readonly file_search: FileSearch | undefined
  readonly timeoutMs: number
  readonly wait: OutageWait
  readonly signal: AbortSignal
}

interface ToolBoxParts {
  readonly connections: ReadonlyMap<string, ToolConnection>
  readonly problems: readonly string[]
  readonly away: readonly string[]
  readonly timeoutMs: number
  readonly file_search: FileSearch | undefined
}

const NOTHING: ToolBoxParts = { connections: new Map(), problems: [], away: [], timeoutMs: 0, file_search: undefined }

/** The tools of one run. Without a server that is away, its tools are missing and the rest works. */
export class ToolBox implements AsyncDisposable {
  /** A sentence for each server that cannot be used. */
  readonly problems: readonly string[]
  /** Names of the built-in tools whose server is away. */
  readonly away: readonly string[]
  readonly #offers: ReadonlyMap<string, OfferedTool>
  readonly #connections: ReadonlyMap<string, ToolConnection>
  readonly #timeoutMs: number
  readonly #fileSearch: FileSearch | undefined

  private constructor(
    offers: ReadonlyMap<string, OfferedTool>,
    { connections, problems, away, timeoutMs, file_search }: ToolBoxParts = NOTHING,
  ) {
    this.#offers = offers
    this.#connections = connections
    this.#timeoutMs = timeoutMs
    this.#fileSearch = file_search
    this.problems = problems
    this.away = away
  }

  static async connect({ servers, port, token, discovery, wait, signal, ...options }: ToolBoxOptions): Promise<ToolBox> {
    const connections = new Map(servers.map((server) => [server.name, port.connect(server, server.own ? token : undefined)]))
    const { found, failed } = await discovery.all(servers, connections, { wait, signal })
    const offers = offersOf(found, { ...options, servers })
    const problems = [...failed].map(([server, error]) =>
      error instanceof AppError ? error.message : `The tool server ${server} cannot be used now.`,
    )
    const away = TOOL_SERVERS.filter((name) => servers.some((server) => server.own && server.name === name))
      .filter((name) => isAway(failed.get(name), true))
      .flatMap((name) => BUILT_IN_TOOLS[name])
    const { timeoutMs, file_search } = options
    return new ToolBox(offers, { connections, problems, away, timeoutMs, file_search })
  }

  /** A run without tools. */
  static none(): ToolBox {
    return new ToolBox(new Map())
  }

  get tools(): ModelTool[] {
    return toModelTools(this.#offers)
  }

  find(name: string): OfferedTool | undefined {
    return this.#offers.get(name)
  }

  /** Where a call of the tool looks, of a search that is narrowed. */
  scopeOf(name: string): FileSearch | undefined {
    const tool = this.#offers.get(name)
    return tool?.own && tool.name === SEARCH ? this.#fileSearch : undefined
  }

  /** What is wrong with the arguments of a call. Of a tool that is not there nothing is known. */
  problemOf(name: string, args: Record<string, unknown>): string | undefined {
    const tool = this.#offers.get(name)
    return tool && problemOf(tool.parameters, args)
  }

  /** Connects to the servers of tools that are about to be called. */
  prepare(names: readonly string[], signal: AbortSignal): void {
    const servers = new Set(names.map((name) => this.#offers.get(name)?.server ?? ''))
    for (const server of servers) this.#connections.get(server)?.prepare(signal)
  }

  /** Rejects with the signal's reason, or with a ToolError. */
  async call(name: string, { args, id }: ToolCallContent, signal: AbortSignal): Promise<ToolResult> {
    const tool = this.#offers.get(name)
    const connection = tool && this.#connections.get(tool.server)
    if (!connection) throw new ToolError('refused', `There is no tool named ${name} now.`)
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    try {
      const result = await connection.call(tool.name, { args, id, scope: this.scopeOf(name) }, AbortSignal.any([signal, timeout]))
      if (result.is_away) throw new ToolError('lost', result.text)
      return result
    } catch (error) {
      signal.throwIfAborted()
      if (!timeout.aborted) throw error
      throw new ToolError('lost', `${name} did not answer in ${this.#timeoutMs / 1_000} s.`, error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#connections.values()].map((connection) => connection[Symbol.asyncDispose]()))
  }
}

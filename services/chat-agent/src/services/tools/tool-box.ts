import { AppError } from '@youworker/contracts/errors'
import type { ModelTool } from '../models/model-port.ts'
import { type AllowedTools, isAllowedTool, type McpServer } from './mcp-servers.ts'
import type { ToolDiscovery } from './tool-discovery.ts'
import { isWebTool, nameTools } from './tool-names.ts'
import type { ToolConnection, ToolDescription, ToolPort, ToolResult } from './tool-port.ts'

export interface OfferedTool extends ToolDescription {
  readonly server: string
  /** From one of our servers: its search results become citations. */
  readonly own: boolean
}

interface ToolBoxOptions {
  readonly servers: readonly McpServer[]
  /** Of foreign servers: all others are not offered. */
  readonly allowed: AllowedTools
  readonly port: ToolPort
  readonly discovery: ToolDiscovery
  readonly token: () => Promise<string>
  readonly disable_web: boolean
  readonly timeoutMs: number
}

/** The tools of one run. Without a server that is away, its tools are missing and the rest works. */
export class ToolBox implements AsyncDisposable {
  /** A sentence for each server that is away. */
  readonly problems: readonly string[]
  readonly #offers: ReadonlyMap<string, OfferedTool>
  readonly #connections: ReadonlyMap<string, ToolConnection>
  readonly #timeoutMs: number

  private constructor(
    offers: ReadonlyMap<string, OfferedTool>,
    {
      connections,
      problems,
      timeoutMs,
    }: { connections: ReadonlyMap<string, ToolConnection>; problems: string[]; timeoutMs: number },
  ) {
    this.#offers = offers
    this.#connections = connections
    this.#timeoutMs = timeoutMs
    this.problems = problems
  }

  static async connect({ servers, allowed, port, discovery, token, disable_web, timeoutMs }: ToolBoxOptions): Promise<ToolBox> {
    const connections = new Map(servers.map((server) => [server.name, port.connect(server, server.own ? token : undefined)]))
    const problems: string[] = []
    const found = await Promise.all(
      servers.map(async ({ name: server, own }) => {
        const connection = connections.get(server)
        try {
          const tools = connection ? await discovery.tools(server, connection) : []
          const offered = own ? tools : tools.filter(({ name }) => isAllowedTool(allowed, server, name))
          return offered.map((tool): OfferedTool => ({ ...tool, server, own }))
        } catch (error) {
          problems.push(error instanceof AppError ? error.message : `The tool server ${server} cannot be used now.`)
          return []
        }
      }),
    )
    const wanted = found.flat().filter((tool) => !(disable_web && isWebTool(tool)))
    return new ToolBox(nameTools(wanted), { connections, problems, timeoutMs })
  }

  /** A run without tools. */
  static none(): ToolBox {
    return new ToolBox(new Map(), { connections: new Map(), problems: [], timeoutMs: 0 })
  }

  get tools(): ModelTool[] {
    return [...this.#offers].map(([name, { description, parameters }]) => ({ name, description, parameters }))
  }

  find(name: string): OfferedTool | undefined {
    return this.#offers.get(name)
  }

  /** Rejects with the signal's reason, or with an error whose message the model and people can read. */
  async call(name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<ToolResult> {
    const tool = this.#offers.get(name)
    const connection = tool && this.#connections.get(tool.server)
    if (!connection) throw new AppError('EXTERNAL_SERVICE_ERROR', `There is no tool named ${name} now.`)
    const timeout = AbortSignal.timeout(this.#timeoutMs)
    try {
      return await connection.call(tool.name, args, AbortSignal.any([signal, timeout]))
    } catch (error) {
      signal.throwIfAborted()
      if (!timeout.aborted) throw error
      throw new AppError('EXTERNAL_SERVICE_ERROR', `${name} did not answer in ${this.#timeoutMs / 1_000} s.`, { cause: error })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#connections.values()].map((connection) => connection[Symbol.asyncDispose]()))
  }
}

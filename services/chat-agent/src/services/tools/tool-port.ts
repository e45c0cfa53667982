import type { McpServer } from './mcp-servers.ts'

export interface ToolDescription {
  /** The server's name for it. */
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Record<string, unknown>
  /** The server declares that a repeated call is harmless (`idempotentHint` or `readOnlyHint`). */
  readonly idempotent: boolean
}

export interface ToolResult {
  readonly text: string
  readonly is_error: boolean
  readonly structured?: unknown
}

/** A run's connection to one server, made at first use. Failures are `EXTERNAL_SERVICE_ERROR` and name the server. */
export interface ToolConnection extends AsyncDisposable {
  listTools(signal: AbortSignal): Promise<ToolDescription[]>
  call(name: string, args: Record<string, unknown>, signal: AbortSignal): Promise<ToolResult>
}

export interface ToolPort {
  /** `token` is asked before each request; a server without one gets none. */
  connect(server: McpServer, token: (() => Promise<string>) | undefined): ToolConnection
}

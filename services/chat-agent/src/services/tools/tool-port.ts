import type { FileSearch } from '@youworker/contracts/agent/file-search'
import { AppError } from '@youworker/contracts/errors'
import type { McpServer } from './mcp-servers.ts'

/**
 * - `refused`: the server answered that it will not do it.
 * - `unreached`: the call surely did not begin.
 * - `lost`: no answer came; the call may have been made.
 */
export type ToolFailure = 'refused' | 'unreached' | 'lost'

/** A failed call of a tool server. Its message is for the model and for people. */
export class ToolError extends AppError {
  readonly failure: ToolFailure

  constructor(failure: ToolFailure, message: string, cause?: unknown) {
    super('EXTERNAL_SERVICE_ERROR', message, { cause })
    this.failure = failure
  }
}

/** Whether the server may answer the same call later, and may be asked again. */
export const isAway = (error: unknown, isRepeatable: boolean): boolean =>
  error instanceof ToolError && (error.failure === 'unreached' || (error.failure === 'lost' && isRepeatable))

export interface ToolDescription {
  /** The server's name for it. */
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Record<string, unknown>
  /** The server declares that a repeated call is harmless (`idempotentHint` or `readOnlyHint`). */
  readonly idempotent: boolean
  /** The server declares that it changes nothing (`readOnlyHint`): such calls of one answer run side by side. */
  readonly read_only: boolean
}

export interface ToolResult {
  readonly text: string
  readonly is_error: boolean
  /** One of our own tools could not do its work because a service behind it is away. */
  readonly is_away: boolean
  readonly structured?: unknown
}

export interface ToolCallContent {
  readonly args: Record<string, unknown>
  /** Of the tool run: tells the server which calls are one that was repeated. */
  readonly id: string
  /** Of a search: only there. */
  readonly scope?: FileSearch | undefined
}

/** A run's connection to one server, made at first use. Failures are {@link ToolError} and name the server. */
export interface ToolConnection extends AsyncDisposable {
  listTools(signal: AbortSignal): Promise<ToolDescription[]>
  call(name: string, call: ToolCallContent, signal: AbortSignal): Promise<ToolResult>
  /** Connects ahead of a call. When that fails, the call tries again and says so. */
  prepare(signal: AbortSignal): void
}

export interface ToolPort {
  /** `token` is asked before each request; a server without one gets none. */
  connect(server: McpServer, token: (() => Promise<string>) | undefined): ToolConnection
  /** Whether the server answers anything at all; a refusal is an answer. What a first connection loads is loaded afterwards. */
  answers(server: McpServer, signal: AbortSignal): Promise<boolean>
}

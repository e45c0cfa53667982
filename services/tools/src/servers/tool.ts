import type { FileSearch } from '@youworker/contracts/agent/file-search'
import type { BuiltInTool, ToolServerName } from '@youworker/contracts/agent/tool-servers'
import type { z } from 'zod'

/** The caller and the request of a tool call. */
export interface ToolContext {
  readonly caller: { readonly token: string }
  readonly correlationId: string
  readonly traceparent: string
  /** The same when the caller repeats a call. */
  readonly callKey: string
  /** Of a search: only there. */
  readonly scope?: FileSearch | undefined
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
}

export interface ToolAnswer {
  readonly structured: Record<string, unknown>
  /** The same as text. */
  readonly text: string
}

export interface Tool<T extends BuiltInTool = BuiltInTool> {
  readonly name: T
  readonly title: string
  readonly description: string
  readonly input: z.ZodObject
  readonly output: z.ZodObject
  /** It adds something; otherwise it changes nothing. */
  readonly adds?: true
  /** An `AppError` becomes an error result; the model and the user read its message. */
  call(input: unknown, context: ToolContext): Promise<ToolAnswer>
}

/** One built-in MCP server, served at `/<name>/mcp`. Its tools may be repeated. */
export interface ToolServer<N extends ToolServerName = ToolServerName> {
  readonly name: N
  readonly tools: readonly Tool<BuiltInTool<N>>[]
}

/** One for each name of the contract: a missing server is a type error. */
export type ToolServers = { readonly [N in ToolServerName]: ToolServer<N> }

interface ToolDefinition<T extends BuiltInTool, I extends z.ZodObject, O extends z.ZodObject> extends Omit<
  Tool<T>,
  'input' | 'output' | 'call'
> {
  readonly input: I
  readonly output: O
  call(input: z.output<I>, context: ToolContext): Promise<{ structured: z.output<O>; text: string }>
}

export const defineTool = <T extends BuiltInTool, I extends z.ZodObject, O extends z.ZodObject>(
  definition: ToolDefinition<T, I, O>,
): Tool<T> => ({
  ...definition,
  call: (input, context) => definition.call(definition.input.parse(input), context),
})

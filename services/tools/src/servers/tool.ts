import type { ToolServerName } from '@youworker/contracts/tool-servers'
import type { z } from 'zod'

/** For whom and within which request a tool is called. */
export interface ToolContext {
  readonly caller: { readonly token: string }
  readonly correlationId: string
  readonly traceparent: string
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
}

export interface ToolAnswer {
  readonly structured: Record<string, unknown>
  /** The same for readers of text. */
  readonly text: string
}

export interface Tool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: z.ZodObject
  readonly output: z.ZodObject
  /** An `AppError` becomes a tool result that says so; its message is for the model and the person. */
  call(input: unknown, context: ToolContext): Promise<ToolAnswer>
}

/** One built-in MCP server, at `/<name>/mcp`. Its tools change nothing and may be repeated. */
export interface ToolServer<N extends ToolServerName = ToolServerName> {
  readonly name: N
  readonly tools: readonly Tool[]
}

/** One for each name of the contract: a missing server is a type error. */
export type ToolServers = { readonly [N in ToolServerName]: ToolServer<N> }

interface ToolDefinition<I extends z.ZodObject, O extends z.ZodObject> extends Omit<Tool, 'input' | 'output' | 'call'> {
  readonly input: I
  readonly output: O
  call(input: z.output<I>, context: ToolContext): Promise<{ structured: z.output<O>; text: string }>
}

export const defineTool = <I extends z.ZodObject, O extends z.ZodObject>(definition: ToolDefinition<I, O>): Tool => ({
  ...definition,
  call: (input, context) => definition.call(definition.input.parse(input), context),
})

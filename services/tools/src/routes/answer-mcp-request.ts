import { randomUUID } from 'node:crypto'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv-provider.js'
import { FileSearch } from '@youworker/contracts/agent/file-search'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { SEARCH_SCOPE, TOOL_AWAY, TOOL_CALL_KEY } from '@youworker/contracts/agent/tool-servers'
import type { Logger } from '@youworker/runtime/logger'
import type { Tool, ToolContext, ToolServer } from '../servers/tool.ts'

const VERSION = '1.0.0'
/** Shared: making one takes longer than serving a request. */
const jsonSchemaValidator = new AjvJsonSchemaValidator()

interface McpRequest {
  readonly request: Request
  readonly body: unknown
  readonly server: ToolServer
  readonly context: Omit<ToolContext, 'callKey'>
  readonly logger: Logger
}

/** Answers one POST of MCP's Streamable HTTP (revision 2025-06-18) without a session: server and transport end with the request. */
export async function answerMcpRequest({ request, body, server, context, logger }: McpRequest): Promise<Response> {
  const mcp = new McpServer({ name: server.name, version: VERSION }, { jsonSchemaValidator })
  for (const tool of server.tools) {
    const { name, title, description, input: inputSchema, output: outputSchema, adds = false } = tool
    const annotations = { readOnlyHint: !adds, destructiveHint: false, idempotentHint: true, openWorldHint: adds }
    const config = { title, description, inputSchema, outputSchema, annotations }
    mcp.registerTool(name, config, (input, { _meta }) =>
      callTool(tool, input, { ...context, callKey: keyOf(_meta) }, _meta, logger),
    )
  }
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  try {
    await mcp.connect(transport)
    return await transport.handleRequest(request, { parsedBody: body })
  } finally {
    await mcp.close()
  }
}

type Meta = Readonly<Record<string, unknown>> | undefined

/** One that cannot be read must not be taken for none. */
function scopeOf(meta: Meta): FileSearch | undefined {
  const scope = meta?.[SEARCH_SCOPE]
  return scope === undefined ? undefined : FileSearch.parse(scope)
}

function keyOf(meta: Meta): string {
  const key = meta?.[TOOL_CALL_KEY]
  return typeof key === 'string' && key !== '' ? key : randomUUID()
}

async function callTool(tool: Tool, input: unknown, context: ToolContext, meta: Meta, logger: Logger): Promise<CallToolResult> {
  try {
    const { structured, text } = await tool.call(input, { ...context, scope: scopeOf(meta) })
    return { structuredContent: structured, content: [{ type: 'text', text }] }
  } catch (error) {
    const known = error instanceof AppError && error.code !== 'INTERNAL_ERROR'
    if (!known) logger.error({ err: error, tool: tool.name, correlation_id: context.correlationId }, 'a tool failed')
    const text = known ? error.message : 'The tool failed for a reason that is in its log.'
    const isAway = !(error instanceof AppError) || ERROR_STATUS[error.code] >= 500
    return { isError: true, content: [{ type: 'text', text }], ...(isAway ? { _meta: { [TOOL_AWAY]: true } } : {}) }
  }
}

import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import type { CallToolResult, ToolAnnotations } from '@modelcontextprotocol/sdk/types.js'
import { z } from 'zod'

export interface TestTool {
  readonly name: string
  readonly description?: string
  readonly input?: z.ZodObject
  readonly annotations?: ToolAnnotations
  /** A returned string becomes the text of the result. `signal` aborts when the client disconnects. */
  readonly run: (input: Record<string, unknown>, signal: AbortSignal) => Promise<string | CallToolResult>
}

export interface TestMcpServer extends AsyncDisposable {
  /** The MCP endpoint. */
  readonly url: string
  /** Tool calls in the order of arrival, with their HTTP headers. */
  readonly calls: readonly {
    readonly tool: string
    readonly input: Record<string, unknown>
    readonly headers: IncomingHttpHeaders
  }[]
}

/** The default tools: `echo {text}` and `fail {}`. */
export const testTools: readonly TestTool[] = [
  {
    name: 'echo',
    description: 'Returns the text.',
    input: z.object({ text: z.string() }),
    annotations: { readOnlyHint: true, idempotentHint: true },
    run: async ({ text }) => `echo: ${String(text)}`,
  },
  {
    name: 'fail',
    description: 'Always fails.',
    run: async () => ({ isError: true, content: [{ type: 'text', text: 'this tool always fails' }] }),
  },
]

/** Starts an MCP server over Streamable HTTP, without sessions, in this process. */
export async function startMcpServer({
  tools = testTools,
  port = 0,
  path = '/mcp',
}: { tools?: readonly TestTool[]; port?: number; path?: string } = {}): Promise<TestMcpServer> {
  const calls: TestMcpServer['calls'][number][] = []
  const server = createServer((incoming, outgoing) => {
    const answer = (request: Request) =>
      respond(request, { tools, path }, (tool, input) => calls.push({ tool, input, headers: incoming.headers }))
    void getRequestListener(answer, { overrideGlobalObjects: false })(incoming, outgoing)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
    calls,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function respond(
  request: Request,
  { tools, path }: { readonly tools: readonly TestTool[]; readonly path: string },
  onCall: (tool: string, input: Record<string, unknown>) => void,
): Promise<Response> {
  if (new URL(request.url).pathname !== path) return new Response('not found', { status: 404 })
  if (request.method !== 'POST') return new Response('POST only', { status: 405, headers: { allow: 'POST' } })
  const mcp = new McpServer({ name: 'test', version: '1.0.0' })
  for (const { name, description = '', input = z.object({}), annotations = {}, run } of tools) {
    mcp.registerTool(name, { description, inputSchema: input, annotations }, async (args) => {
      onCall(name, args)
      const result = await run(args, request.signal)
      return typeof result === 'string' ? { content: [{ type: 'text', text: result }] } : result
    })
  }
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  try {
    await mcp.connect(transport)
    return await transport.handleRequest(request)
  } finally {
    await mcp.close()
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { restartableServer } from '@youworker/test-kit/restartable-server'

interface Message {
  readonly id?: number
  readonly method: string
  // Each method has params of its own.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly params?: any
}

export interface SessionMcpServer extends AsyncDisposable {
  readonly url: string
  /** Calls of `wait` that were begun, by their JSON-RPC id and session. */
  readonly begun: readonly string[]
  /** Those of which a notification said that they are cancelled. */
  readonly cancelled: readonly string[]
}

/**
 * An MCP server with sessions (MCP 2025-06-18, Transports), whose tool `wait` never answers. Like most servers it ends a call when it
 * is told so and not when a connection breaks, which may be resumed.
 */
export async function startSessionMcpServer(): Promise<SessionMcpServer> {
  const begun: string[] = []
  const cancelled: string[] = []
  let sessions = 0
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'DELETE') return response.writeHead(200).end()
    if (request.method !== 'POST') return response.writeHead(405).end()
    const { id, method, params } = (await json(request)) as Message
    const session = String(request.headers['mcp-session-id'])
    const answer = (result: object, headers = {}) =>
      response
        .writeHead(200, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    switch (method) {
      case 'initialize': {
        const serverInfo = { name: 'patient', version: '1' }
        return answer(
          { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo },
          { 'mcp-session-id': `session-${(sessions += 1)}` },
        )
      }
      case 'notifications/cancelled':
        cancelled.push(`${session} ${params.requestId}`)
        return response.writeHead(202).end()
      case 'tools/list':
        return answer({ tools: [{ name: 'wait', description: 'Waits.', inputSchema: { type: 'object', properties: {} } }] })
      case 'tools/call':
        begun.push(`${session} ${id}`)
        // The headers of a stream, which then says nothing.
        return response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': \n\n')
      default:
        return response.writeHead(202).end()
    }
  }
  const { origin, stop } = await restartableServer((request, response) => void serve(request, response))
  return { url: `${origin}/mcp`, begun, cancelled, [Symbol.asyncDispose]: stop }
}

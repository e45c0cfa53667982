import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createLogger, silentLogger } from '@youworker/runtime/logger'
import { startMcpServer, testTools } from '@youworker/test-kit/mcp-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createMcpPort } from './mcp-client.ts'

const WORDS = 'the diagnosis of Ada Lovelace'
const INNER = 'cannot reach postgres://admin:pw@10.0.0.7/crm'

/** An MCP server that answers everything but the handshake with an error of its own. */
async function startBroken(answer: 'json-rpc' | 'http') {
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    // The client also asks for a stream of the server's own messages.
    if (request.method !== 'POST') return response.writeHead(405).end()
    const { id, method, params } = JSON.parse(await text(request)) as { id?: number; method: string; params?: object }
    const said = `${INNER} with ${JSON.stringify(params)}`
    const result = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'crm', version: '1' } }
    if (id === undefined) return response.writeHead(202).end()
    if (method !== 'initialize' && answer === 'http') return response.writeHead(500).end(said)
    const outcome = method === 'initialize' ? { result } : { error: { code: -32_603, message: said } }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, ...outcome }))
  }
  const server = createServer((request, response) => void respond(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}/mcp`, [Symbol.asyncDispose]: close }
}

test.each(['json-rpc', 'http'] as const)(
  'what a tool server answers with an error (%s) is for the log only, without the arguments',
  async (answer) => {
    await using server = await startBroken(answer)
    const lines: string[] = []
    const port = createMcpPort(createLogger({ name: 'test', write: (line) => void lines.push(line) }))
    await using connection = port.connect({ name: 'crm', url: server.url, own: false }, undefined)
    const error: unknown = await connection
      .call('find', { args: { of: { name: WORDS } }, id: 'c1' }, AbortSignal.timeout(10_000))
      .catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      code: 'EXTERNAL_SERVICE_ERROR',
      message: expect.stringMatching(/^The tool server crm [\w ;]+\.$/),
    })
    expect(lines.join('')).toContain('postgres://10.0.0.7/crm')
    expect(lines.join('')).toContain(server.url)
    expect(lines.join('')).not.toContain('admin:pw')
    expect(lines.join('')).toMatch(/"method":"tools\/call","tool":"find","failure":"refused"/)
    expect(lines.join('')).not.toMatch(/Lovelace|diagnosis/)
  },
)

test('a foreign tool with a huge or endlessly nested schema is not offered; what the others say of themselves is cleaned', async () => {
  let deep: z.ZodType = z.string()
  for (let level = 0; level < 300; level += 1) deep = z.object({ in: deep })
  const run = async () => 'done'
  const tools = [
    ...testTools,
    { name: 'huge', input: z.object({ text: z.string().describe('x'.repeat(600)), ...manyFields(200) }), run },
    { name: 'deep', input: z.object({ deep }), run },
    { name: 'loud', description: 'says\u001b[31m red', input: z.object({ text: z.string().describe('a\u001bb') }), run },
  ]
  await using server = await startMcpServer({ tools })
  await using connection = createMcpPort(silentLogger()).connect({ name: 'crm', url: server.url, own: false }, undefined)
  const offered = await connection.listTools(AbortSignal.timeout(10_000))
  expect(offered.map(({ name }) => name)).toEqual(['echo', 'fail', 'loud'])
  expect(offered.at(-1)).toMatchObject({
    description: 'says[31m red',
    parameters: { properties: { text: { description: 'ab' } } },
  })
})

/** One of our own servers, without sessions. A call of `wait` is answered when `release` is called with its token. */
async function startOwn() {
  const seen: string[] = []
  const ended: string[] = []
  const waiting = new Map<string, () => void>()
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'POST') return response.writeHead(405).end()
    const { id, method } = JSON.parse(await text(request)) as { id?: number; method: string }
    const token = String(request.headers.authorization)
    seen.push(`${method} ${token}`)
    if (id === undefined) return response.writeHead(202).end()
    const handshake = { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'own', version: '1' } }
    const result = method === 'initialize' ? handshake : { content: [{ type: 'text', text: token }] }
    const answer = () =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    if (method === 'initialize') return answer()
    response.on('close', () => void (response.writableEnded || ended.push(token)))
    waiting.set(token, answer)
  }
  const server = createServer((request, response) => void respond(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.close()
    server.closeAllConnections()
  }
  const url = `http://127.0.0.1:${port}/mcp`
  return { url, seen, ended, waiting, release: (token: string) => waiting.get(token)?.(), [Symbol.asyncDispose]: close }
}

test('runs share a client of our own servers, each with its own token; a run that stops ends only its own request', async () => {
  await using server = await startOwn()
  const port = createMcpPort(silentLogger())
  const run = (token: string) => port.connect({ name: 'own', url: server.url, own: true }, async () => token)
  const [ada, ben, eve] = [run('ada'), run('ben'), run('eve')]
  const stop = new AbortController()
  const never = AbortSignal.timeout(60_000)
  for (const connection of [ada, ben, eve]) connection.prepare(never)
  const asked = [ada.call('wait', { args: {}, id: 'c1' }, never), ben.call('wait', { args: {}, id: 'c1' }, never)]
  const stopped = eve.call('wait', { args: {}, id: 'c1' }, stop.signal)
  await waitFor(async () => server.waiting.size === 3, { what: 'three calls' })
  stop.abort(new Error('stopped by its user'))
  await expect(stopped).rejects.toThrow('stopped by its user')
  await waitFor(async () => server.ended.length > 0, { what: 'the end of the request' })
  server.release('Bearer ben')
  server.release('Bearer ada')
  expect((await Promise.all(asked)).map((result) => result.text)).toEqual(['Bearer ada', 'Bearer ben'])
  expect(server.ended).toEqual(['Bearer eve'])
  expect(server.seen.filter((line) => line.startsWith('initialize '))).toHaveLength(1)
  expect(server.seen.filter((line) => line.startsWith('tools/call ')).toSorted()).toEqual(
    ['ada', 'ben', 'eve'].map((token) => `tools/call Bearer ${token}`),
  )
  for (const connection of [ada, ben, eve]) await connection[Symbol.asyncDispose]()
  const again = run('dan')
  const answer = again.call('wait', { args: {}, id: 'c1' }, never)
  await waitFor(async () => server.waiting.has('Bearer dan'), { what: 'the next call' })
  server.release('Bearer dan')
  expect((await answer).text).toBe('Bearer dan')
})

const manyFields = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`field_${n}`, z.string().describe('what this field is for')]))

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, test } from 'vitest'
import { startMcpServer } from './mcp-server.ts'

test('the official client lists and calls the tools', async () => {
  await using server = await startMcpServer()
  const client = new Client({ name: 'test', version: '1' })
  // The SDK's own transport does not fit its interface under exactOptionalPropertyTypes.
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)) as Parameters<Client['connect']>[0])
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo', 'fail'])
  expect(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })).toMatchObject({ content: [{ text: 'echo: hi' }] })
  expect(await client.callTool({ name: 'fail', arguments: {} })).toMatchObject({ isError: true })
  expect(server.calls.map(({ tool, input }) => [tool, input])).toEqual([
    ['echo', { text: 'hi' }],
    ['fail', {}],
  ])
  await client.close()
})

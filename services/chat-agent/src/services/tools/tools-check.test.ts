import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { silentLogger } from '@youworker/runtime/logger'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, onTestFinished, test } from 'vitest'
import { createMcpPort } from '../../clients/mcp-client.ts'
import { ownServers } from './mcp-servers.ts'
import { toolsCheck } from './tools-check.ts'

test('tools are there when each own server answers, if only with a refusal; the check never fails', async () => {
  let asked = 0
  let status = 503
  const server = createServer((request, response) => {
    asked += 1
    response.writeHead(request.url === '/datetime/mcp' ? status : 401).end('{}')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const foreign = { name: 'foreign', url: 'http://127.0.0.1:1/mcp', own: false }
  const servers = [...ownServers(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, new Set()), foreign]
  const check = toolsCheck({ port: createMcpPort(silentLogger()), servers })
  await waitFor(async () => (await check()) === 'No answer from the tool servers (datetime); chats go on without their tools', {
    what: 'the missing server by its name',
  })
  status = 401
  await waitFor(async () => (await check()) === undefined, { what: 'the tools' })
  const before = asked
  expect(await check()).toBeUndefined()
  expect(asked).toBe(before)
})

test('a service without tool servers misses none', async () => {
  expect(await toolsCheck({ port: createMcpPort(silentLogger()), servers: [] })()).toBeUndefined()
})

import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { Env } from './config.ts'

const base = {
  DATABASE__URL: 'postgresql://chat_agent:x@127.0.0.1/youworker',
  NATS__URL: 'nats://chat-agent:x@127.0.0.1:4222',
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: '1:mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM',
}

test('foreign MCP servers are a list of name=url', () => {
  const { MCP__SERVER_URLS } = readEnv(Env, { ...base, MCP__SERVER_URLS: 'a=http://h/mcp?x=1, b=https://i/mcp' })
  expect(MCP__SERVER_URLS).toEqual([
    { name: 'a', url: 'http://h/mcp?x=1', own: false },
    { name: 'b', url: 'https://i/mcp', own: false },
  ])
  expect(readEnv(Env, base).MCP__SERVER_URLS).toEqual([])
  // As in the published system, whose tool servers are built in now.
  const published = 'http://mcp_web:7001/,http://mcp_semantic:7002,http://mcp_units:7005, c=http://h'
  expect(readEnv(Env, { ...base, MCP__SERVER_URLS: published }).MCP__SERVER_URLS).toEqual([
    { name: 'c', url: 'http://h', own: false },
  ])
})

test.each([
  ['http://h/mcp', 'must be name=url'],
  ['a=ftp://h', 'http(s) URL'],
  ['semantic=http://h/mcp', 'built-in'],
])('%s is refused', (list, why) => {
  expect(() => readEnv(Env, { ...base, MCP__SERVER_URLS: list })).toThrow(why)
})

test('a refused list shows no URL, which may hold a token; a ring that seals nothing is refused', () => {
  const list = 'semantic=https://h?t=hunter2,https://u:hunter2@h'
  expect(() => readEnv(Env, { ...base, MCP__SERVER_URLS: list })).toThrow(/^(?![^]*hunter2)[^]*semantic: [^]*entry 2: /)
  const ring = { SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: 'hunter2' }
  expect(() => readEnv(Env, { ...base, ...ring })).toThrow(/^(?![^]*hunter2)[^]*ENCRYPTION_SECRET: key 1 is not 32 bytes/)
})

import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { Env } from './config.ts'

const base = {
  DATABASE__URL: 'postgresql://chat_agent:x@127.0.0.1/youworker',
  NATS__URL: 'nats://chat-agent:x@127.0.0.1:4222',
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: 'x',
}

test('foreign MCP servers are a list of name=url', () => {
  const { MCP__SERVER_URLS } = readEnv(Env, { ...base, MCP__SERVER_URLS: 'a=http://h/mcp?x=1, b=https://i/mcp' })
  expect(MCP__SERVER_URLS).toEqual([
    { name: 'a', url: 'http://h/mcp?x=1', own: false },
    { name: 'b', url: 'https://i/mcp', own: false },
  ])
  expect(readEnv(Env, base).MCP__SERVER_URLS).toEqual([])
})

test.each([
  ['http://h/mcp', 'must be name=url'],
  ['a=ftp://h', 'http(s) URL'],
  ['semantic=http://h/mcp', 'built-in'],
])('%s is refused', (list, why) => {
  expect(() => readEnv(Env, { ...base, MCP__SERVER_URLS: list })).toThrow(why)
})

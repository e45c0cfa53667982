import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { OllamaModel } from './ollama.ts'

const never = new AbortController().signal

/** What `think` is when `wanted` is asked of a model that Ollama describes so. */
async function thinkOf(wanted: 'off' | 'low' | 'medium' | 'high', shown: object): Promise<unknown> {
  let think: unknown
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = (await json(request)) as { think?: unknown }
    if (request.url === '/api/show') return void response.end(JSON.stringify(shown))
    think = body.think
    response.end(`${JSON.stringify({ message: { role: 'assistant', content: 'Yes' }, done: true })}\n`)
  }
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const model = new OllamaModel({ name: 'test', url, apiKey: undefined, contextTokens: 4_096, stallMs: 2_000 })
    const info = await model.describe('m', never)
    const request = { model: info, messages: [], tools: [], parameters: { think: wanted }, signal: never, onWaiting: () => {} }
    await Array.fromAsync(model.chat(request))
    return think
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const capabilities = ['completion', 'thinking']
test.each([
  ['a model that does not think is not asked to', 'high', { capabilities: ['completion'] }, undefined],
  ['one that can be switched is switched', 'high', { capabilities, thinking: { values: [true, false] } }, true],
  ['also off', 'off', { capabilities, thinking: { values: [true, false] } }, false],
  ['one with levels gets the level', 'medium', { capabilities, thinking: { values: ['low', 'medium', 'high'] } }, 'medium'],
  ['for off the lowest', 'off', { capabilities, thinking: { values: ['low', 'medium', 'high'] } }, 'low'],
  ['one that always thinks keeps its own way', 'off', { capabilities, thinking: { values: [true] } }, undefined],
  ['where nothing more is told, it is sent as it is', 'low', { capabilities }, 'low'],
  ['off as Ollama has it', 'off', { capabilities }, false],
] as const)('%s', async (_, wanted, shown, expected) => {
  expect(await thinkOf(wanted, shown)).toBe(expected)
})

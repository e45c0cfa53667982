import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, onTestFinished, test } from 'vitest'
import { isReady, isReadyWithTools } from './wait-until-ready.ts'

test.each(['tools', 'chat-agent.tools'])('a process is up only when it reaches its tools (%s)', async (name) => {
  let message: string | undefined = 'The tool servers semantic and datetime do not answer'
  const server = createServer((_, response) => {
    const components = [
      { name: 'nats', status: 'ok' },
      { name, status: message === undefined ? 'ok' : 'degraded', message },
    ]
    response.end(JSON.stringify({ status: 'ok', components }))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health/ready`
  // On a busy machine one answer may come too late to count.
  await waitFor(() => isReady(url), { what: 'readiness' })
  expect(await isReadyWithTools(url)).toBe(false)
  message = undefined
  await waitFor(() => isReadyWithTools(url), { what: 'readiness with tools' })
})

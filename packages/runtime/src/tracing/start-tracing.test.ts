import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { traceIdOf } from '../correlation.ts'
import { currentRequest, inRequest } from '../current-request.ts'
import { createLogger } from '../logger.ts'
import { startSpan, traced } from './span.ts'
import { startTracing } from './start-tracing.ts'

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

/** A receiver of OTLP over HTTP that answers with `status`. */
async function startReceiver(status: number) {
  const received: { url: string | undefined; type: string | undefined; key: string | undefined; body: Buffer }[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const { 'content-type': type, 'x-key': key } = request.headers
      received.push({ url: request.url, type, key: String(key), body })
      response.writeHead(status).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => server.close().closeAllConnections()
  return { received, endpoint: `http://127.0.0.1:${port}/`, [Symbol.asyncDispose]: close }
}

function options(endpoint: string | undefined, share = 1) {
  const lines: string[] = []
  const logger = createLogger({ name: 'test', write: (line) => void lines.push(line) })
  return { service: 'group', endpoint, headers: 'x-key=secret, other=1', file: undefined, share, logger, lines }
}

test('without a receiver spans cost nothing and a trace is passed on as it came', async () => {
  await using _tracing = await startTracing(options(undefined))
  const span = startSpan({ kind: 'server', name: 'x', parent: PARENT })
  expect(span.traceparent).toBe(PARENT)
  const inner = await inRequest({ traceparent: PARENT }, () =>
    traced({ kind: 'client', name: 'y' }, async () => currentRequest()),
  )
  expect(inner.traceparent).toBe(PARENT)
})

test('spans go to a receiver as OTLP in protobuf, each below the one that was open', async () => {
  await using receiver = await startReceiver(200)
  {
    await using _tracing = await startTracing(options(receiver.endpoint))
    const span = startSpan({ kind: 'server', name: 'GET /v1/groups', parent: PARENT })
    expect([traceIdOf(span.traceparent), span.traceparent === PARENT]).toEqual([traceIdOf(PARENT), false])
    await inRequest({ traceparent: span.traceparent }, () =>
      traced({ kind: 'client', name: 'SELECT' }, async () => expect(currentRequest().traceparent).not.toBe(span.traceparent)),
    )
    const failing = inRequest({ traceparent: span.traceparent }, () =>
      traced({ kind: 'client', name: 'INSERT' }, () => Promise.reject(new TypeError('what a user wrote'))),
    )
    await expect(failing).rejects.toThrow(TypeError)
    // What a process does by itself is not traced.
    await traced({ kind: 'client', name: 'a poll' }, async () => expect(currentRequest().traceparent).toBeUndefined())
    span.end({ attributes: { 'http.response.status_code': 200 } })
  }
  expect(receiver.received).toMatchObject([{ url: '/v1/traces', type: 'application/x-protobuf', key: 'secret' }])
  const text = receiver.received[0]?.body.toString('latin1') ?? ''
  for (const name of ['GET /v1/groups', 'SELECT', 'INSERT', 'TypeError', 'service.name']) expect(text).toContain(name)
  expect(text).not.toMatch(/what a user wrote|a poll/)
})

test('a receiver that is away costs its spans and one warning', async () => {
  await using receiver = await startReceiver(400)
  const { lines, ...given } = options(receiver.endpoint)
  {
    await using _tracing = await startTracing(given)
    for (let n = 0; n < 1_000; n += 1) startSpan({ kind: 'server', name: 'x' }).end()
  }
  expect(receiver.received.length).toBeGreaterThan(0)
  expect(lines).toEqual([expect.stringMatching(/WARNING.*spans could not be exported/)])
})

test('only a share of the traces is recorded, and whoever calls has decided already', async () => {
  await using receiver = await startReceiver(200)
  await using _tracing = await startTracing(options(receiver.endpoint, 0))
  expect(startSpan({ kind: 'server', name: 'x' }).traceparent).toMatch(/-00$/)
  expect(startSpan({ kind: 'server', name: 'x', parent: PARENT }).traceparent).toMatch(/-01$/)
})

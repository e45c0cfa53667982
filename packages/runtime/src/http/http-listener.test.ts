import { once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { HttpListener } from './http-listener.ts'

async function serve() {
  const begun = Promise.withResolvers<void>()
  const slow = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    begun.resolve()
    const ready = request.url === '/slow' ? slow.promise : Promise.resolve()
    void ready.then(() => response.end('answered'))
  })
  const listener = await HttpListener.open(server, { host: '127.0.0.1', port: 0, from: 'port', name: 'test' })
  const { port } = listener.address
  const ask = async (agent: Agent, path = '/') => {
    const [response] = (await once(get({ host: '127.0.0.1', port, path, agent }), 'response')) as [IncomingMessage]
    return { connection: response.headers.connection, text: (await response.setEncoding('utf8').toArray()).join('') }
  }
  return { listener, ask, port, begun: begun.promise, release: slow.resolve }
}

const isSettled = async (work: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([work.then(() => true), new Promise((resolve) => setTimeout(resolve, 200))])) === true

test('draining answers what comes on an idle connection and only then closes it', async () => {
  const { listener, ask } = await serve()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  expect(await ask(agent)).toEqual({ connection: 'keep-alive', text: 'answered' })
  const drained = listener.drain()
  expect(await isSettled(drained)).toBe(false)
  expect(await ask(agent)).toEqual({ connection: 'close', text: 'answered' })
  await drained
  await listener.close(1_000)
})

test('draining waits for a request under way; closing ends what is idle at once and cuts the rest after its time', async () => {
  const { listener, ask, port, begun, release } = await serve()
  const slow = ask(new Agent(), '/slow')
  await begun
  const drained = listener.drain()
  expect(await isSettled(drained)).toBe(false)
  release()
  expect((await slow).text).toBe('answered')
  await drained

  // A connection that never sends a request is not idle: its request may be on the way.
  const silent = connect(port, '127.0.0.1')
  await once(silent, 'connect')
  silent.on('error', () => {})
  await expect.poll(() => isSettled(listener.drain())).toBe(false)
  const closed = once(silent, 'close')
  await listener.close(50)
  await closed
})

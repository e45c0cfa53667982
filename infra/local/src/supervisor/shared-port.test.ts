import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type NodeChild, startNodeProcess } from './node-process.ts'
import { SharedPort } from './shared-port.ts'

let dir: string
let script: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker port '))
  script = join(dir, 'server.ts')
  await writeFile(
    script,
    `import { createServer } from 'node:http'
const { HttpListener } = await import(${JSON.stringify(join(import.meta.dirname, '../../../../packages/runtime/src/http/http-listener.ts'))})
const server = createServer({ connectionsCheckingInterval: 100, headersTimeout: 500 }, (request, response) => response.end(String(process.pid)))
await HttpListener.open(server, { host: '127.0.0.1', port: 1, from: 'supervisor', name: 'web' })
process.on('disconnect', () => process.exit())`,
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function open() {
  const users: NodeChild[] = []
  const port = await SharedPort.open('web', '127.0.0.1', 0, () => users)
  onTestFinished(async () => {
    await port[Symbol.asyncDispose]()
    await Promise.all(users.map((user) => user.stop(0)))
  })
  const add = async () => {
    const child = await startNodeProcess({ script, env: process.env, logFile: join(dir, 'log'), cwd: dir })
    users.push(child)
    return child
  }
  const ask = async (agent = new Agent()) => {
    const [response] = (await once(get({ host: '127.0.0.1', port: port.port, agent }), 'response')) as [IncomingMessage]
    return { status: response.statusCode, text: (await response.setEncoding('utf8').toArray()).join('') }
  }
  return { users, add, ask, port: port.port }
}

const serves = (user: NodeChild) => waitFor(() => user.isFreeFor('web'), { what: 'a process that serves the port' })

test('a connection waits for the first process that serves the port; then all get the same number', async () => {
  const { add, ask } = await open()
  const early = ask()
  const users = [await add(), await add(), await add()]
  expect(users.map(({ pid }) => String(pid))).toContain((await early).text)
  for (const user of users) await serves(user)
  const counts = new Map<string, number>()
  for (let n = 0; n < 30; n += 1) {
    const { text } = await ask()
    counts.set(text, (counts.get(text) ?? 0) + 1)
  }
  expect([...counts.values()]).toEqual([10, 10, 10])
})

test('connections that a process was given and never took go to another one when it is killed', async () => {
  const { add, ask } = await open()
  const frozen = await add()
  await serves(frozen)
  process.kill(frozen.pid, 'SIGSTOP')
  const given = ask()
  await waitFor(() => !frozen.isFreeFor('web'), { what: 'the hand-over' })
  const other = await add()
  await serves(other)
  expect((await ask()).text).toBe(String(other.pid))
  process.kill(frozen.pid, 'SIGKILL')
  expect((await given).text).toBe(String(other.pid))
})

test('the process that gets a connection serves it as its own: half-closed, and with its limits', async () => {
  const { add, port } = await open()
  await serves(await add())
  const half = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  half.end('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  expect((await half.setEncoding('utf8').toArray()).join('')).toMatch(/^HTTP\/1\.1 200/)
  const slow = connect({ port, host: '127.0.0.1' })
  slow.write('GET / HTTP/1.1\r\n')
  expect((await slow.setEncoding('utf8').toArray()).join('')).toMatch(/^HTTP\/1\.1 408/)
})

test('when nobody serves the port for long, clients are told to try again', async () => {
  const { ask } = await open()
  const { status, text } = await ask()
  expect([status, JSON.parse(text)]).toMatchObject([503, { error: { code: 'SERVICE_UNAVAILABLE' } }])
}, 20_000)

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { findNatsServer } from '@youworker/embedded/nats'
import { freePort, isFree } from '@youworker/embedded/port'
import { waitFor } from '@youworker/test-kit/wait-for'

export interface WrongServer extends AsyncDisposable {
  readonly port: number
}

async function listening(server: Server): Promise<WrongServer> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Takes connections and never says anything. */
export const silentServer = (): Promise<WrongServer> => listening(createServer())

/** Answers every GET with this JSON; `/api/tags` of Ollama is one. */
export const jsonServer = (status: number, body: unknown): Promise<WrongServer> =>
  listening(createHttpServer((_, response) => response.writeHead(status).end(JSON.stringify(body))))

/** A Postgres of an earlier version, as far as a login and one query. https://www.postgresql.org/docs/current/protocol-message-formats.html */
export function oldPostgres(version: string): Promise<WrongServer> {
  const columns = { version, is_standby: 'f', may_make_roles: 't', may_make_schemas: 't', is_in_use: 'f' }
  const message = (type: string, ...parts: Buffer[]) => {
    const body = Buffer.concat(parts)
    return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
  }
  const ready = message('Z', Buffer.from('I'))
  const fields = Object.keys(columns).map((name, index) =>
    Buffer.concat([text(name), int32(0), int16(0), int32(index === 0 ? 25 : 16), int16(-1), int32(-1), int16(0)]),
  )
  const values = Object.values(columns).map((value) => Buffer.concat([int32(value.length), Buffer.from(value)]))
  const answer = Buffer.concat([
    message('T', int16(fields.length), ...fields),
    message('D', int16(values.length), ...values),
    message('C', text('SELECT 1')),
    ready,
  ])
  return listening(
    createServer((socket) => {
      let hasStarted = false
      socket.on('data', (data) => {
        if (!hasStarted) socket.write(Buffer.concat([message('R', int32(0)), ready]))
        else if (data.toString('latin1', 0, 1) === 'Q') socket.write(answer)
        hasStarted = true
      })
    }),
  )
}

const int16 = (value: number): Buffer => Buffer.from(Int16Array.of(value).buffer).swap16()
const int32 = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer).swap32()
const text = (value: string): Buffer => Buffer.from(`${value}\0`)

/** A nats-server as its package starts it: without JetStream. */
export async function natsWithoutStreams(): Promise<WrongServer> {
  const { path } = await findNatsServer({})
  const port = await freePort()
  const child = spawn(path, ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  await waitFor(async () => !(await isFree(port)), { what: 'nats-server' })
  return {
    port,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isAlive } from './child-server.ts'
import { findNatsServer, startNats } from './nats.ts'
import { freePort, isFree } from './port.ts'
import { startPostgres } from './postgres.ts'

let dir: string
let binary: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker embedded '))
  binary = (await findNatsServer()).path
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20)))
    if (await condition()) return
  throw new Error('condition not met in 30 s')
}

/** The authentication type in the reply to a start-up packet (protocol 3.0): 10 is SCRAM-SHA-256. */
async function authenticationAsked(port: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1' })
  const body = Buffer.from('user\0postgres\0database\0postgres\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + body.length, 0)
  head.writeInt32BE(196_608, 4)
  socket.write(Buffer.concat([head, body]))
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return answer.readInt32BE(5)
}

async function natsConversation(port: number, lines: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  let received = ''
  socket.on('data', (data) => (received += data.toString()))
  socket.on('error', () => {})
  socket.write(lines)
  await until(() => /PONG|-ERR/.test(received))
  socket.destroy()
  return received
}

test('Postgres starts in a path with spaces, asks for a scram password, and starts again on its data', async () => {
  const options = {
    dataDir: join(dir, 'postgres'),
    port: await freePort(),
    password: "it's a p@ss",
    logFile: join(dir, 'postgres.log'),
  }
  const first = await startPostgres(options)
  expect(await authenticationAsked(options.port)).toBe(10)
  expect(first.adminUrl).toBe(`postgresql://postgres:it's%20a%20p%40ss@127.0.0.1:${options.port}/postgres`)
  await first.stop()
  expect(isAlive(first.pid)).toBe(false)
  expect(await isFree(options.port)).toBe(true)

  // A stale pid file with the pid of another program must not prevent the start.
  await writeFile(
    join(options.dataDir, 'postmaster.pid'),
    `${process.pid}\n${options.dataDir}\n0\n${options.port}\n\n127.0.0.1\n\n`,
  )
  const { promise: exit, resolve: onExit } = Promise.withResolvers<void>()
  const second = await startPostgres({ ...options, onExit: () => onExit() })
  process.kill(second.pid, 'SIGKILL')
  await exit

  await using third = await startPostgres(options)
  expect(await authenticationAsked(third.port)).toBe(10)
})

test('NATS checks passwords and permissions, and keeps its store', async () => {
  const options = {
    binary,
    dir: join(dir, 'nats'),
    port: await freePort(),
    logFile: join(dir, 'nats.log'),
    accounts: {
      TEST: {
        jetstream: 'enabled',
        users: [
          { user: 'admin', password: 'a$1' },
          {
            user: 'group',
            password: 'b',
            permissions: { publish: { allow: ['$JS.API.INFO'] }, subscribe: { allow: ['_INBOX.group.>'] } },
          },
        ],
      },
    },
  } as const
  const as = (user: string, pass: string) =>
    `CONNECT ${JSON.stringify({ user, pass, verbose: false, headers: true, no_responders: true })}\r\n`
  await using first = await startNats(options)
  expect(await natsConversation(first.port, 'CONNECT {}\r\nPING\r\n')).toContain('Authorization Violation')
  expect(await natsConversation(first.port, `${as('group', 'b')}PUB foreign 1\r\nx\r\nPING\r\n`)).toContain(
    'Permissions Violation for Publish to "foreign"',
  )
  const stream = JSON.stringify({ name: 'KEPT', subjects: ['kept'], storage: 'file' })
  const create = `SUB _INBOX.x 1\r\nPUB $JS.API.STREAM.CREATE.KEPT _INBOX.x ${stream.length}\r\n${stream}\r\n`
  await natsConversation(first.port, `${as('admin', 'a$1')}${create}PING\r\n`)
  const info = 'SUB _INBOX.y 1\r\nPUB $JS.API.STREAM.NAMES _INBOX.y 0\r\n\r\n'
  const names = async (port: number) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let received = ''
    socket.on('data', (data) => (received += data.toString()))
    socket.write(`${as('admin', 'a$1')}${info}`)
    await until(() => received.includes('stream_names_response'))
    socket.destroy()
    return received
  }
  await until(async () => (await names(first.port)).includes('KEPT'))
  expect((await stat(join(options.dir, 'nats.conf'))).mode & 0o777).toBe(0o600)
  await first.stop()
  await using second = await startNats(options)
  expect(await names(second.port)).toContain('KEPT')
})

test.runIf(process.platform === 'linux')(
  'Postgres and NATS end when the process that started them is killed with -9',
  async () => {
    const script = join(dir, 'owner.ts')
    const pids = join(dir, 'pids')
    await writeFile(
      script,
      `import { writeFile } from 'node:fs/promises'
const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, 'postgres.ts'))})
const { startNats } = await import(${JSON.stringify(join(import.meta.dirname, 'nats.ts'))})
const { freePort } = await import(${JSON.stringify(join(import.meta.dirname, 'port.ts'))})
const [dir, binary] = JSON.parse(process.argv[2])
const postgres = await startPostgres({ dataDir: dir + '/owned-postgres', port: await freePort(), password: 'x' })
const nats = await startNats({ binary, dir: dir + '/owned-nats', port: await freePort(), accounts: { TEST: { users: [{ user: 'a', password: 'b' }] } } })
await writeFile(${JSON.stringify(pids)}, postgres.pid + ' ' + nats.pid)
setInterval(() => {}, 1000)
`,
    )
    const owner = spawn(process.execPath, [script, JSON.stringify([dir, binary])], { stdio: ['ignore', 'ignore', 'inherit'] })
    await until(() =>
      readFile(pids, 'utf8').then(
        (text) => text.includes(' '),
        () => false,
      ),
    )
    const children = (await readFile(pids, 'utf8')).split(' ').map(Number)
    expect(children.map(isAlive)).toEqual([true, true])
    owner.kill('SIGKILL')
    await until(() => !children.some(isAlive))
  },
)

test('freePort returns a port only once, and never one in use', async () => {
  const wanted = await freePort()
  const [first, second] = await Promise.all([freePort(wanted), freePort(wanted)])
  expect(new Set([wanted, first, second]).size).toBe(3)
})

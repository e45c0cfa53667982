import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { before } from '@youworker/runtime/timing/deadline'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Database, openDatabase } from './open.ts'
import { bindNotes, type Fixture, noteDatabase, type Notes, type NoteTables } from '../test-fixture.ts'
import { createUnitOfWork } from '../unit-of-work.ts'
import { startWorker } from '../jobs/worker.ts'

/** A TCP proxy before Postgres that can be cut or frozen. */
class TcpProxy implements AsyncDisposable {
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #frozen = false
  #port = 0

  constructor(url: string) {
    this.#target = new URL(url)
  }

  async connect(): Promise<string> {
    this.#frozen = false
    this.#server = createServer((client) => this.#forward(client)).listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
    const url = new URL(this.#target)
    url.host = `127.0.0.1:${this.#port}`
    return url.href
  }

  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = this.#server?.listening ? once(this.#server, 'close') : undefined
    this.#server?.close()
    await closed
  }

  /** Connections stay up and new ones are accepted, but no data passes. */
  freeze(): void {
    this.freezeNew()
    for (const socket of this.#sockets) socket.pause()
  }

  /** Connections that are there go on; of new ones no data passes. */
  freezeNew(): void {
    this.#frozen = true
  }

  thaw(): void {
    this.#frozen = false
    for (const socket of this.#sockets) socket.resume()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cut()
  }

  #forward(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (chunk) => to.write(chunk))
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        this.#sockets.delete(from)
      })
      if (this.#frozen) from.pause()
    }
  }
}

let fixture: Fixture
let proxy: TcpProxy
let database: Database<NoteTables>
let uow: Notes
beforeAll(async () => {
  fixture = await noteDatabase()
  proxy = new TcpProxy(fixture.url)
  const url = await proxy.connect()
  database = openDatabase<NoteTables>({
    url,
    schema: 'group',
    poolSize: 3,
    slowQueryMs: 1_000,
    logger: silentLogger(),
    migrations: ['0001-init'],
  })
  uow = createUnitOfWork(database, bindNotes)
})
afterEach(() => proxy.thaw())
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  await proxy[Symbol.asyncDispose]()
  await fixture[Symbol.asyncDispose]()
})

const works = () => database.check().then(() => true)
const writeNote = (space = newId()) =>
  uow.in([space]).write(({ notes }) => notes.add({ id: newId(), space_id: space, text: 'x' }))
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  )

test('while Postgres is down each call fails at once with 503, and works again when it is back', async () => {
  await Promise.all([writeNote(), writeNote(), writeNote()])
  const caught = uow.system().write(async ({ notes }) => {
    await notes.raw()
    await proxy.cut()
    await notes.raw()
  })
  await expect(caught).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 2 })
  const codes = new Set<string | undefined>()
  for (let i = 0; i < 8; i += 1) codes.add(await outcome(writeNote()))
  expect(codes).toEqual(new Set(['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN']))
  await proxy.connect()
  await waitFor(works, { what: 'the connection to come back' })
  await writeNote()
})

test('a worker survives an outage of Postgres, and its job runs', async () => {
  const ran: number[] = []
  await using worker = startWorker({
    database,
    uow,
    kind: 'sample',
    concurrency: 1,
    logger: silentLogger(),
    run: async (job) => {
      ran.push(job.attempt)
      return uow.system().write(({ jobs }) => jobs.finish(job.id, job.attempt, { status: 'success' }))
    },
    giveUp: async () => expect.fail('given up'),
  })
  await proxy.cut()
  worker.nudge()
  const id = newId()
  await fixture.uow
    .system()
    .write(({ jobs }) => jobs.add({ id, kind: 'sample', user_id: newId(), space_id: newId(), payload: {} }))
  await proxy.connect()
  await waitFor(async () => (await fixture.uow.system().read(({ jobs }) => jobs.get(id)))?.status === 'success', {
    what: 'the job',
  })
  expect(ran).toEqual([1])
})

test('calls to a frozen Postgres time out, and work again when it resumes', async () => {
  await waitFor(works, { what: 'the connection' })
  proxy.freeze()
  const outcomes = await Promise.all([
    outcome(writeNote()),
    outcome(uow.system().read(({ notes }) => notes.all())),
    outcome(database.check()),
  ])
  expect(outcomes).toEqual(['SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE', 'SERVICE_UNAVAILABLE'])
  proxy.thaw()
  await waitFor(works, { what: 'the connection to resume' })
  await writeNote()
})

const inMs = <T>(ms: number, work: () => Promise<T>) => before(Date.now() + ms, work)
const countNotes = () => fixture.uow.system().read(async ({ notes }) => (await notes.all()).length)

test('a frozen Postgres is waited for only as long as the request may take, and nothing is changed', async () => {
  await waitFor(works, { what: 'the connection' })
  await Promise.all([writeNote(), writeNote(), writeNote()])
  const notes = await countNotes()
  proxy.freeze()
  // More than there are connections, so that some wait for one.
  const writes = Array.from({ length: 5 }, () => inMs(500, () => outcome(writeNote())))
  const read = inMs(500, () => outcome(uow.system().read((repos) => repos.notes.all())))
  expect(await Promise.all([...writes, read])).toEqual(Array.from({ length: 6 }, () => 'DEADLINE_EXCEEDED'))
  proxy.thaw()
  await waitFor(works, { what: 'the connection to resume' })
  expect(await countNotes()).toBe(notes)
})

test('when Postgres freezes within a change, nothing is changed; at its commit, the error says that this is unknown', async () => {
  await waitFor(works, { what: 'the connection' })
  const space = newId()
  const change = (freezeFirst: boolean) =>
    uow.in([space]).write(async (repos) => {
      if (freezeFirst) proxy.freeze()
      await repos.notes.add({ id: newId(), space_id: space, text: 'x' })
      proxy.freeze()
    })
  const notes = await countNotes()
  expect(await inMs(500, () => outcome(change(true)))).toBe('DEADLINE_EXCEEDED')
  proxy.thaw()
  await waitFor(works, { what: 'the connection to resume' })
  expect(await countNotes()).toBe(notes)
  const unknown = await inMs(500, () => change(false).catch((error: unknown) => error))
  expect(unknown).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: expect.stringContaining('whether the change was saved') })
  proxy.thaw()
  await waitFor(works, { what: 'the connection to resume' })
})

test('when Postgres is back, the first health check that sees it opens the way for all', async () => {
  await waitFor(works, { what: 'the connection' })
  proxy.freeze()
  const several = () => Promise.all(Array.from({ length: 6 }, () => outcome(writeNote())))
  await waitFor(async () => (await several()).includes('CIRCUIT_OPEN'), { what: 'an open breaker', timeoutMs: 60_000 })
  expect(await inMs(1_000, () => outcome(database.check()))).toBe('DEADLINE_EXCEEDED')
  proxy.thaw()
  await inMs(5_000, () => database.check())
  expect(await outcome(writeNote())).toBe('ok')
})

test('nothing is begun after the deadline, and a change that outlasts it is not saved', async () => {
  await waitFor(works, { what: 'the connection' })
  const notes = await countNotes()
  expect(await inMs(0, () => outcome(writeNote()))).toBe('DEADLINE_EXCEEDED')
  const space = newId()
  const slow = uow.in([space]).write.bind(uow.in([space]))
  const late = inMs(300, () =>
    outcome(
      slow(async (repos) => {
        await repos.notes.add({ id: newId(), space_id: space, text: 'x' })
        await sleep(400)
      }),
    ),
  )
  expect(await late).toBe('DEADLINE_EXCEEDED')
  expect(await countNotes()).toBe(notes)
  await writeNote()
})

test('when all connections are busy the error says so, and the breaker stays closed', async () => {
  await waitFor(works, { what: 'the connection' })
  let busy = true
  const holders = Array.from({ length: 3 }, () =>
    uow.system().read(async ({ notes }) => {
      while (busy) await notes.raw()
    }),
  )
  const errors = await Promise.all(Array.from({ length: 8 }, () => writeNote().catch((error: unknown) => error)))
  // Its health is no worse for that.
  await inMs(500, () => database.check())
  for (const error of errors)
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('busy') })
  busy = false
  await Promise.all(holders)
  await writeNote()
})

test('who waits for a connection that cannot be opened takes one that is given back meanwhile', async () => {
  await using slow = new TcpProxy(fixture.url)
  const url = await slow.connect()
  const options = {
    url,
    schema: 'group',
    poolSize: 3,
    slowQueryMs: 60_000,
    logger: silentLogger(),
    migrations: ['0001-init'],
  } as const
  await using patient = openDatabase<NoteTables>(options)
  const release = Promise.withResolvers<void>()
  const held = patient.transact('*', 'read', async () => release.promise)
  await expect.poll(() => patient.checkUse()).toEqual({ note: '1 of 3 connections in use, 0 waits for one' })
  slow.freezeNew()
  const waiting = Array.from({ length: 4 }, () => patient.transact('*', 'read', async () => 'read'))
  await sleep(300)
  release.resolve()
  await held
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'read'))
})

test('a connection that an administrator terminated is replaced', async () => {
  await writeNote()
  const admin = new pg.Client({ connectionString: fixture.adminUrl })
  await admin.connect()
  await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'group' and datname = current_database()`,
  )
  await admin.end()
  await waitFor(async () => (await outcome(writeNote())) === 'ok', { what: 'a fresh connection' })
  expect(await outcome(writeNote())).toBe('ok')
})

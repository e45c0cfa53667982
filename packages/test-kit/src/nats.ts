import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'

type Accounts = Parameters<typeof startNats>[0]['accounts']
/** One user who may do everything, in one account. */
const ANYBODY: Accounts = { TEST: { jetstream: 'enabled', users: [{ user: 'test', password: 'test' }] } }

export interface TestNats extends AsyncDisposable {
  /** URL with the credentials of the first user. */
  readonly url: string
  /** URL with the credentials of one of the users. */
  urlOf(user: string): string
  stop(): Promise<void>
  /** Stops and continues the process without ending it: connections stay open and nothing is answered. */
  freeze(): void
  thaw(): void
  /** Starts again on the same port and store. */
  start(): Promise<void>
  /** Throws while the server runs. */
  deleteStore(): Promise<void>
}

/** Starts a nats-server for one test, with JetStream. */
export async function testNats({ accounts = ANYBODY }: { accounts?: Accounts } = {}): Promise<TestNats> {
  const { path: binary } = await findNatsServer({})
  const home = await mkdtemp(join(tmpdir(), 'youworker-nats-'))
  const dir = join(home, 'nats')
  const port = await freePort()
  const launch = () => startNats({ binary, dir, port, accounts })
  let server: Awaited<ReturnType<typeof launch>> | undefined = await launch()

  const users = () => Object.values(accounts).flatMap((account) => account.users)
  const urlOf = (name: string) => {
    const user = users().find((candidate) => candidate.user === name)
    if (!user) throw new Error(`no NATS user ${name} in this test`)
    return `nats://${user.user}:${user.password}@127.0.0.1:${port}`
  }
  const stop = async () => {
    await server?.stop()
    server = undefined
  }
  return {
    url: urlOf(users()[0]?.user ?? ''),
    urlOf,
    stop,
    freeze: () => void (server && process.kill(server.pid, 'SIGSTOP')),
    thaw: () => void (server && process.kill(server.pid, 'SIGCONT')),
    async start() {
      server ??= await launch()
    },
    async deleteStore() {
      if (server) throw new Error('stop the server before deleting its store')
      await rm(dir, { recursive: true, force: true })
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

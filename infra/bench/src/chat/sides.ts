import { fork } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiUser } from '../api-user.ts'
import { endWith, type Endpoints, firstMessage, startSystem, temporaryDir } from '../system.ts'

/** One of the systems that are compared. */
export interface Side {
  readonly name: string
  readonly url: string
  /** Headers of each client. */
  readonly clients: readonly Readonly<Record<string, string>>[]
  /** Those whose CPU counts. */
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

interface Options {
  /** How many users there are, each with an API key. */
  readonly clients: number
  /** Of the offline model, which else answers at once. */
  readonly rules: readonly object[]
  /** Of `npm start`. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Starts the system with users. */
export async function startOurs(
  stack: AsyncDisposableStack,
  { clients: count, rules, args = [], env: more = {} }: Options,
): Promise<{ system: Side; users: readonly ApiUser[]; endpoints: Endpoints }> {
  const script = join(await temporaryDir(stack), 'script.json')
  await writeFile(script, JSON.stringify({ rules }))
  const env = { OFFLINE_MODEL__TOKENS_PER_SECOND: '0', OFFLINE_MODEL__SCRIPT: script, ...more }
  const { endpoints } = await startSystem(stack, ['--no-demo', ...args], /^API +http/m, env)
  const root = ApiUser.root(endpoints)
  const users = []
  for (let n = 0; n < count; n += 1) users.push(await root.addUser(`client-${n}`))
  const processes = endpoints.processes.filter(({ name }) => name !== 'offline-model')
  const clients = users.map(({ headers }) => headers)
  return { endpoints, users, system: { name: 'system', url: endpoints.api, clients, processes } }
}

/** Starts the system, and one bare process that asks the same model and stores in the same Postgres. */
export async function startSides(stack: AsyncDisposableStack, options: Options) {
  const ours = await startOurs(stack, options)
  const { postgres, processes } = ours.endpoints
  const model = processes.find(({ name }) => name === 'offline-model')
  const child = fork(join(import.meta.dirname, '../baselines/chat.ts'), {
    env: { ...process.env, DATABASE_URL: postgres, OLLAMA_URL: model?.url ?? '', MODEL: 'youworker-offline' },
  })
  endWith(stack, child)
  const url = `http://127.0.0.1:${Number(await firstMessage(child))}`
  const database = processes.filter(({ name }) => name === 'postgres')
  const clients = ours.users.map(() => ({}))
  const bare: Side = { name: 'bare', url, clients, processes: [{ name: 'bare', pid: child.pid ?? 0 }, ...database] }
  return { ...ours, bare }
}

import { fork } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiUser } from '../api-user.ts'
import { endWith, type Endpoints, firstMessage, startSystem, temporaryDir } from '../system.ts'

/** One of the two systems that are compared. */
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
  readonly answer: string
  /** 0: the model answers at once. */
  readonly tokensPerSecond: number
}

/** Starts the system, and one bare process that asks the same model and stores in the same Postgres. */
export async function startSides(
  stack: AsyncDisposableStack,
  { clients: count, answer, tokensPerSecond }: Options,
): Promise<{ system: Side; bare: Side; endpoints: Endpoints }> {
  const script = join(await temporaryDir(stack), 'script.json')
  await writeFile(script, JSON.stringify({ rules: [{ reply: { text: answer } }] }))
  const env = { OFFLINE_MODEL__TOKENS_PER_SECOND: String(tokensPerSecond), OFFLINE_MODEL__SCRIPT: script }
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m, env)
  const { api, postgres, processes } = endpoints
  const root = ApiUser.root(endpoints)
  const clients = []
  for (let n = 0; n < count; n += 1) clients.push((await root.addUser(`client-${n}`)).headers)
  const model = processes.find(({ name }) => name === 'offline-model')
  const child = fork(join(import.meta.dirname, '../baselines/chat.ts'), {
    env: { ...process.env, DATABASE_URL: postgres, OLLAMA_URL: model?.url ?? '', MODEL: 'youworker-offline' },
  })
  endWith(stack, child)
  const port = Number(await firstMessage(child))
  const database = processes.filter(({ name }) => name === 'postgres')
  return {
    endpoints,
    system: { name: 'system', url: api, clients, processes: processes.filter(({ name }) => name !== 'offline-model') },
    bare: {
      name: 'bare',
      url: `http://127.0.0.1:${port}`,
      clients: clients.map(() => ({})),
      processes: [{ name: 'bare', pid: child.pid ?? 0 }, ...database],
    },
  }
}

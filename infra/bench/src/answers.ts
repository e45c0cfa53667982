import { fork } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { ApiUser } from './api-user.ts'
import { endWith, firstMessage, startSystem, temporaryDir } from './system.ts'
import { median } from './load.ts'
import { cpuSeconds } from './process-cpu.ts'

const CLIENTS = 64
const ROUNDS = 3
const SLICE_MS = 8_000
const WARM_UP_MS = 8_000
const ANSWER = Array.from({ length: 20 }, (_, n) => `word${n}`).join(' ')
const QUESTION = 'Say twenty words about nothing in particular.'
const NOT_OURS = ['offline-model']

interface Side {
  readonly name: string
  readonly api: string
  /** Headers of each client. */
  readonly clients: readonly Readonly<Record<string, string>>[]
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

interface Slice {
  readonly perSecond: number
  /** CPU in ms for one answer, by process. */
  readonly cpu: ReadonlyMap<string, number>
  /** Of the first token, in ms. */
  readonly firstToken: number
}

/**
 * Answers of 20 tokens from a model that answers at once, to 64 clients of 64 users: CPU over all processes of the system, Postgres
 * and NATS among them, against one process that streams and stores the same answer. The ratio is bare / system.
 */
export async function answers(stack: AsyncDisposableStack): Promise<number> {
  const [ours, bare] = await startBoth(stack)
  for (const side of [ours, bare]) await slice(side, WARM_UP_MS)
  const ratios: number[] = []
  const all: Slice[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [system, base] = [await slice(ours, SLICE_MS), await slice(bare, SLICE_MS)]
    all.push(system)
    ratios.push(total(base) / total(system))
    const text = (one: Slice) =>
      `${one.perSecond.toFixed(0)} answers/s, ${total(one).toFixed(1)} ms CPU, first token ${one.firstToken.toFixed(0)} ms`
    console.log(`round ${round}: system ${text(system)}; bare ${text(base)}`)
  }
  for (const { name } of ours.processes)
    console.log(`  ${name}: ${median(all.map(({ cpu }) => cpu.get(name) ?? 0)).toFixed(2)} ms CPU for one answer`)
  return median(ratios)
}

const total = ({ cpu }: Slice): number => [...cpu.values()].reduce((sum, ms) => sum + ms, 0)

async function startBoth(stack: AsyncDisposableStack): Promise<[Side, Side]> {
  const script = join(await temporaryDir(stack), 'script.json')
  await writeFile(script, JSON.stringify({ rules: [{ reply: { text: ANSWER } }] }))
  const env = { OFFLINE_MODEL__TOKENS_PER_SECOND: '0', OFFLINE_MODEL__SCRIPT: script }
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m, env)
  const { api, postgres, processes } = endpoints
  const root = ApiUser.root(endpoints)
  const clients = []
  for (let n = 0; n < CLIENTS; n += 1) clients.push((await root.addUser(`client-${n}`)).headers)
  const model = processes.find(({ name }) => name === 'offline-model')
  const child = fork(join(import.meta.dirname, 'baselines/chat.ts'), {
    env: { ...process.env, DATABASE_URL: postgres, OLLAMA_URL: model?.url ?? '', MODEL: 'youworker-offline' },
  })
  endWith(stack, child)
  const port = Number(await firstMessage(child))
  const database = processes.filter(({ name }) => name === 'postgres')
  return [
    { name: 'system', api, clients, processes: processes.filter(({ name }) => !NOT_OURS.includes(name)) },
    {
      name: 'bare',
      api: `http://127.0.0.1:${port}`,
      clients: clients.map(() => ({})),
      processes: [{ name: 'bare', pid: child.pid ?? 0 }, ...database],
    },
  ]
}

async function slice({ api, clients, processes }: Side, ms: number): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const before = await cpuSeconds(processes)
  const started = performance.now()
  const until = started + ms
  const firstTokens: number[] = []
  const ask = async (headers: Readonly<Record<string, string>>) => {
    while (performance.now() < until) firstTokens.push(await askOnce(`${api}/v1/chat`, headers, agent))
  }
  await Promise.all(clients.map(ask))
  const seconds = (performance.now() - started) / 1_000
  const after = await cpuSeconds(processes)
  agent.destroy()
  const count = firstTokens.length
  const cpu = new Map([...after].map(([name, used]) => [name, ((used - (before.get(name) ?? 0)) * 1_000) / count]))
  return { perSecond: count / seconds, cpu, firstToken: median(firstTokens) }
}

/** Resolves to the ms until the first token, when the whole answer is there. */
function askOnce(url: string, headers: Readonly<Record<string, string>>, agent: Agent): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const started = performance.now()
  const call = request(
    url,
    { method: 'POST', agent, headers: { ...headers, 'content-type': 'application/json' } },
    (response) => {
      let text = ''
      let firstToken = 0
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
        if (firstToken === 0 && text.includes('event: token')) firstToken = performance.now() - started
      })
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200 && text.includes('event: done') && text.includes('word19')) resolve(firstToken)
        else reject(new Error(`${url}: ${response.statusCode} ${text.slice(0, 500)}`))
      })
    },
  )
  call.on('error', reject).end(JSON.stringify({ text_input: QUESTION }))
  return promise
}

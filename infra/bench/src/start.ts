import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { rounds } from './measuring/effort.ts'
import { sharedBytes } from './measuring/process-memory.ts'
import { type Endpoints, endWith, startSystem, temporaryDir } from './system.ts'
import { median } from './measuring/load.ts'
import { spread } from './measuring/measure.ts'

const ROUNDS = rounds(3)
const ROOT = join(import.meta.dirname, '../../..')
const QUESTION = 'What is sealed at rest?'
const QUESTIONS = 20
const SERVERS = ['postgres', 'nats', 'offline-model']

/**
 * The wall time of a warm `npm start -- --once` on a fresh data folder against starting a bare Postgres and nats-server in turn; then, as
 * seven processes and as one, the memory (PSS) of each service after the answer of the start, and the first words of more answers. The ratio is bare / system.
 */
export async function start(stack: AsyncDisposableStack): Promise<number> {
  console.log('one start to warm up, step by step:')
  await startOnce(stack, (line, seconds) => console.log(`${seconds.toFixed(1).padStart(6)} s  ${line}`))
  const times: number[] = []
  const ratios: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const system = await timed(() => startOnce(stack))
    const bare = await timed(() => startBare(stack))
    times.push(system)
    ratios.push(bare / system)
    console.log(`round ${round}: npm start -- --once ${system.toFixed(1)} s, bare Postgres and NATS ${bare.toFixed(1)} s`)
  }
  console.log(`npm start -- --once: ${median(times).toFixed(1)} s (median)`)
  await printAnswering(stack, 'seven processes', [])
  await printAnswering(stack, 'one process', ['--single-process'])
  return median(ratios)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

async function startOnce(stack: AsyncDisposableStack, onLine: (line: string, seconds: number) => void = () => {}): Promise<void> {
  const dir = await temporaryDir(stack)
  const started = performance.now()
  const child = spawn('npm', ['start', '--', '--once', '--data', join(dir, 'data')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  endWith(stack, child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      output += `${line}\n`
      onLine(line, (performance.now() - started) / 1_000)
    })
  }
  const code = await new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject))
  if (code !== 0) throw new Error(`npm start -- --once ended with ${code}:\n${output}`)
}

async function startBare(stack: AsyncDisposableStack): Promise<void> {
  const dir = await temporaryDir(stack)
  const { path: binary } = await findNatsServer()
  const postgres = stack.use(await startPostgres({ dataDir: join(dir, 'postgres'), port: await freePort(), password: 'bench' }))
  const accounts = { BENCH: { users: [{ user: 'bench', password: 'bench' }] } }
  const nats = stack.use(await startNats({ binary, dir: join(dir, 'nats'), port: await freePort(), accounts }))
  await Promise.all([postgres.stop(), nats.stop()])
}

interface Sizes {
  /** MB of each service, without Postgres, NATS and the model. */
  readonly services: ReadonlyMap<string, number>
  readonly firstWords: readonly number[]
}

/** Of one new system each round. */
async function printAnswering(stack: AsyncDisposableStack, what: string, args: readonly string[]): Promise<void> {
  const all: Sizes[] = []
  for (let round = 1; round <= ROUNDS; round += 1) all.push(await answering(stack, args))
  const names = [...(all[0]?.services.keys() ?? [])]
  const of = (name: string) => all.map(({ services }) => services.get(name) ?? Number.NaN)
  const totals = all.map(({ services }) => [...services.values()].reduce((sum, size) => sum + size, 0))
  console.log(`${what}: ${spread(totals, 0)} MB: ${names.map((name) => `${name} ${spread(of(name), 0)}`).join(', ')}`)
  const words = all.map(({ firstWords }) => median(firstWords))
  console.log(`${what}: first word of an answer from documents after ${spread(words, 0)} ms`)
}

async function answering(stack: AsyncDisposableStack, args: readonly string[]): Promise<Sizes> {
  const system = await startSystem(stack, args, /^Sources:[\s\S]*^API +http/m)
  const sizes = await sharedBytes(system.endpoints.processes.filter(({ name }) => !SERVERS.includes(name)))
  const firstWords: number[] = []
  for (let n = 0; n < QUESTIONS; n += 1) firstWords.push(await firstWord(system.endpoints))
  await system.stop()
  return { services: new Map([...sizes].map(([name, bytes]) => [name, bytes / 1_024 / 1_024])), firstWords }
}

/** Ms from the question to the first word. */
async function firstWord({ api, root_api_key }: Endpoints): Promise<number> {
  const started = performance.now()
  const response = await fetch(`${api}/v1/chat`, {
    method: 'POST',
    headers: { 'x-api-key': root_api_key, 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: QUESTION }),
  })
  let after: number | undefined
  let text = ''
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part
    if (text.includes('event: token')) after ??= performance.now() - started
  }
  if (after === undefined) throw new Error(`no answer: ${text}`)
  return after
}

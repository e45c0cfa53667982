import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { rounds } from './measuring/effort.ts'
import { sharedBytes } from './measuring/process-memory.ts'
import { endWith, startSystem, temporaryDir } from './system.ts'
import { median } from './measuring/load.ts'

const ROUNDS = rounds(3)
const ROOT = join(import.meta.dirname, '../../..')
const SERVERS = ['postgres', 'nats', 'offline-model']

/**
 * The wall time of a warm `npm start -- --once` on a fresh data folder against starting a bare Postgres and nats-server in turn; then the
 * memory (PSS) of each service after the answer, as seven processes and as one. The ratio is bare / system.
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
  await printMemory(stack, 'seven processes', [])
  await printMemory(stack, 'one process', ['--single-process'])
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

/** Counts the services only, not Postgres, NATS and the model. */
async function printMemory(stack: AsyncDisposableStack, what: string, args: readonly string[]): Promise<void> {
  const system = await startSystem(stack, args, /^Sources:[\s\S]*^API +http/m)
  let total = 0
  const sizes = await sharedBytes(system.endpoints.processes.filter(({ name }) => !SERVERS.includes(name)))
  for (const [name, bytes] of sizes) {
    const megabytes = bytes / 1_024 / 1_024
    total += megabytes
    console.log(`  ${name}: ${megabytes.toFixed(0)} MB`)
  }
  console.log(`${what}: ${total.toFixed(0)} MB PSS`)
  await system.stop()
}

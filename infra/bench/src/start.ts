import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { startHouse } from './house.ts'
import { median } from './load.ts'

const ROUNDS = 3
const ROOT = join(import.meta.dirname, '../../..')

/**
 * The wall time of a warm `npm start -- --once` on a fresh data folder against starting a bare Postgres and nats-server in turn; then the
 * memory (PSS) of each service after the answer, as seven processes and as one. The ratio is bare / house.
 */
export async function start(): Promise<number> {
  const ratios: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const house = await timed(startOnce)
    const bare = await timed(startBare)
    ratios.push(bare / house)
    console.log(`round ${round}: npm start -- --once ${house.toFixed(1)} s, bare Postgres and NATS ${bare.toFixed(1)} s`)
  }
  await printMemory('seven processes', [])
  await printMemory('one process', ['--single-process'])
  return median(ratios)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}

async function startOnce(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-bench-'))
  const child = spawn('npm', ['start', '--', '--once', '--data', join(dir, 'data')], { cwd: ROOT, stdio: 'ignore' })
  const [code] = (await once(child, 'exit')) as [number]
  await rm(dir, { recursive: true, force: true })
  if (code !== 0) throw new Error(`npm start -- --once ended with ${code}`)
}

async function startBare(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-bench-'))
  const { path: binary } = await findNatsServer({})
  {
    await using stack = new AsyncDisposableStack()
    stack.use(await startPostgres({ dataDir: join(dir, 'postgres'), port: await freePort(), password: 'bench' }))
    stack.use(await startNats({ binary, dir: join(dir, 'nats'), port: await freePort(), users: [{ user: 'a', password: 'a' }] }))
  }
  await rm(dir, { recursive: true, force: true })
}

/** Services only: Postgres, NATS and the model are somebody else's memory. */
async function printMemory(what: string, args: readonly string[]): Promise<void> {
  await using house = await startHouse(args, /Sources:[\s\S]*API\b/)
  const services = house.endpoints.processes.filter(({ name }) => !['postgres', 'nats', 'offline-model'].includes(name))
  let total = 0
  for (const { name, pid } of services) {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    const megabytes = Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) / 1_024
    total += megabytes
    console.log(`  ${name}: ${megabytes.toFixed(0)} MB`)
  }
  console.log(`${what}: ${total.toFixed(0)} MB PSS`)
}

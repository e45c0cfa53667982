import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { Person } from './person.ts'

const ROOT = join(import.meta.dirname, '../../../..')

export interface Endpoints {
  readonly api: string
  readonly nats: string
  readonly postgres: string
  readonly root_api_key: string
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly health_url?: string; readonly url?: string }[]
}

/** `npm start` as a person runs it, but for npm itself. */
export function spawnStart(args: readonly string[], env: Record<string, string> = {}, cwd = ROOT) {
  const child = spawn(process.execPath, [join(ROOT, 'infra/local/src/start.ts'), ...args], {
    cwd,
    env: { ...process.env, INIT_CWD: cwd, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  return { child, exit, output: () => output }
}

export class SpawnedHouse {
  readonly dataDir: string
  readonly root: Person
  readonly output: () => string
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>

  constructor(dataDir: string, root: Person, { child, exit, output }: ReturnType<typeof spawnStart>) {
    this.dataDir = dataDir
    this.root = root
    this.output = output
    this.#child = child
    this.#exit = exit
  }

  async endpoints(): Promise<Endpoints> {
    return JSON.parse(await readFile(join(this.dataDir, 'endpoints.json'), 'utf8')) as Endpoints
  }

  async pidOf(name: string): Promise<number> {
    const { processes } = await this.endpoints()
    const running = processes.find((candidate) => candidate.name === name)
    if (!running) throw new Error(`no process ${name} in ${processes.map((candidate) => candidate.name).join(', ')}`)
    return running.pid
  }

  /** The chat-agent that runs a job at this moment, by its own metrics. */
  async ownerOfTheRun(): Promise<string> {
    const { processes } = await this.endpoints()
    for (const { name, health_url } of processes.filter((candidate) => candidate.name.startsWith('chat-agent.'))) {
      const metrics = await (await fetch(`${health_url}/metrics`)).text()
      if (/^jobs_running\{[^}]*kind="run"[^}]*\} [1-9]/m.test(metrics)) return name
    }
    throw new Error('no chat-agent runs a job')
  }

  async untilOutboxIsPublished(schema: string): Promise<void> {
    const client = new pg.Client({ connectionString: (await this.endpoints()).postgres })
    await client.connect()
    try {
      await waitFor(async () => (await client.query(`select from ${schema}.outbox where stream_seq is null`)).rowCount === 0, { what: 'the outbox' })
    } finally {
      await client.end()
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exit
  }
}

/** Waits until everything is ready. */
export async function spawnHouse(args: readonly string[], env: Record<string, string> = {}): Promise<SpawnedHouse> {
  const dataDir = args[args.indexOf('--data') + 1] ?? ''
  const started = spawnStart(args, env)
  const endpoints = await waitFor(
    async () => {
      if (started.child.exitCode !== null) throw new Error(`the start failed:\n${started.output()}`)
      return JSON.parse(await readFile(join(dataDir, 'endpoints.json'), 'utf8')) as Endpoints
    },
    { what: 'endpoints.json', timeoutMs: 120_000 },
  )
  return new SpawnedHouse(dataDir, new Person(endpoints.api, '', endpoints.root_api_key), started)
}

import { mkdir, rename, stat } from 'node:fs/promises'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { createLogger } from '@youworker/runtime/logger'
import { choosePorts } from './ports.ts'
import { NodeChild } from './node-process.ts'
import { secretValue } from '../settings/environment.ts'
import { type Endpoints, writeEndpoints } from '../data-dir/endpoints.ts'
import type { DataDir } from '../data-dir/data-dir.ts'
import {
  modelSpec,
  natsAdminUrl,
  natsSpec,
  type Plan,
  postgresSpec,
  serviceSpec,
  singleProcessSpec,
  urlOf,
} from './process-specs.ts'
import { type Print, seconds } from '../print.ts'
import { readSecrets } from '../data-dir/secrets.ts'
import type { GivenSettings } from '../settings/settings.ts'
import type { RunCommand } from '../start-arguments.ts'
import { Replicas } from './replicas.ts'
import { StartError } from '../start-error.ts'
import { type ProcessSpec, SupervisedProcess } from './supervised-process.ts'
import { DiskWatch } from '../watch/disk-watch.ts'
import type { WatchedServer } from '../watch/server-watch.ts'
import { watchSystem } from '../watch/watch-system.ts'
import { untilFirstError, waitUntilAllReady } from './all-ready.ts'

/** Services stop first, then servers. The sum must stay below 5 s, the longest that Ctrl+C may take. */
const GRACE_MS = { services: 3_500, servers: 400 } as const
const LARGEST_LOG = 10 * 1024 * 1024

export interface RunningSystem {
  readonly endpoints: () => Endpoints
  readonly processes: readonly SupervisedProcess[]
  readonly replicas: Replicas
  stop(): Promise<void>
}

interface BringUpOptions {
  readonly command: RunCommand
  readonly data: DataDir
  readonly given: GivenSettings
  readonly print: Print
  readonly signal: AbortSignal
}

/** Starts all processes in order and waits until each is ready. When one fails, stops those already started. */
export async function bringUp({ command, data, given, print, signal }: BringUpOptions): Promise<RunningSystem> {
  const processes: SupervisedProcess[] = []
  const plan = await makePlan(processes, data, given, print)
  const disk = new DiskWatch({ dir: data.dir, print })
  let watch: Disposable | undefined
  let isUp = false
  let stopping: Promise<void> | undefined
  const endpoints = () => describe(plan, processes)
  const onPid = () => {
    processes.sort((a, b) => rank(a) - rank(b))
    if (isUp) void writeEndpoints(data.endpoints, endpoints()).catch(() => {})
  }
  const start = async (spec: ProcessSpec) => {
    const supervised = new SupervisedProcess(isServerName(spec.name) ? disk.guard(spec) : spec, { print, onPid })
    processes.push(supervised)
    await rotateLog(data.log(spec.name))
    await supervised.start().catch((cause: unknown) => {
      throw new StartError(`${spec.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    })
    signal.throwIfAborted()
    return supervised
  }
  const specOf = command.singleProcess ? undefined : serviceSpec.bind(undefined, plan)
  const replicas = new Replicas({ processes, data, start, specOf, onChange: onPid })
  const stop = () => {
    watch?.[Symbol.dispose]()
    return (stopping ??= stopAll(processes, replicas, plan))
  }
  const system: RunningSystem = { endpoints, processes, replicas, stop }
  try {
    const model = given.ollamaUrl === undefined ? start(modelSpec(plan)) : undefined
    await untilFirstError([startDatabase(plan, start), startNatsServer(plan, start), ...(model ? [model] : [])])
    const began = performance.now()
    const specs = specOf
      ? SERVICES.flatMap((service) => upTo(command.replicas[service], specOf, service))
      : [singleProcessSpec(plan)]
    print(`Services: starting ${command.singleProcess ? 'all in one process' : `${specs.length} processes`} …`)
    await untilFirstError(specs.map(start))
    await waitUntilAllReady(processes, data, signal)
    print(`Services: all ready (${seconds(performance.now() - began)})`)
    isUp = true
    await writeEndpoints(data.endpoints, endpoints())
    watch = watchSystem({ servers: watchedServers(plan, processes), disk, logs: data.logs, print, onRoom: onPid })
    return system
  } catch (error) {
    await stop()
    throw error
  }
}

async function makePlan(
  processes: readonly SupervisedProcess[],
  data: DataDir,
  given: GivenSettings,
  print: Print,
): Promise<Plan> {
  await mkdir(data.logs, { recursive: true, mode: 0o700 })
  await mkdir(data.index, { recursive: true, mode: 0o700 })
  const [secrets, { roleUrl }] = await Promise.all([readSecrets(data.secrets), import('@youworker/database/schema/migrate')])
  const users = () => processes.flatMap(({ running }) => (running instanceof NodeChild ? [running] : []))
  const ports = await choosePorts(given.env, users, print)
  const adminUrl =
    given.adminUrl ??
    `postgresql://postgres:${encodeURIComponent(secrets.postgres_password)}@127.0.0.1:${ports.postgres}/postgres`
  return {
    data,
    given,
    secrets,
    ports,
    print,
    databaseUrl: (owner) => roleUrl(adminUrl, owner, secrets.role_passwords[owner]),
    addresses: {
      adminUrl,
      natsUrlOf: (service) => given.natsUrl ?? `nats://${service}:${secrets.nats_passwords[service]}@127.0.0.1:${ports.nats}`,
      modelUrl: given.ollamaUrl ?? `http://127.0.0.1:${ports.model.own}`,
      toolsUrl: urlOf(ports.tools),
      indexDir: data.index,
    },
  }
}

type Start = (spec: ProcessSpec) => Promise<SupervisedProcess>

async function startDatabase(plan: Plan, start: Start): Promise<void> {
  const { addresses, given, secrets, print } = plan
  const began = performance.now()
  if (given.adminUrl === undefined) {
    await start(postgresSpec(plan))
    print(`Postgres: up on port ${plan.ports.postgres} (${seconds(performance.now() - began)})`)
  } else print(`Postgres: yours, at ${new URL(given.adminUrl).host}`)
  const migrating = performance.now()
  const { migrateAll } = await import('@youworker/database/schema/migrate')
  const { role_passwords: passwords } = secrets
  await migrateAll({
    adminUrl: addresses.adminUrl,
    passwords,
    logger: createLogger({ name: 'migrate', level: 'warn', format: 'text' }),
  }).catch((cause: unknown) => {
    throw new StartError(
      `The database could not be migrated: ${cause instanceof Error ? cause.message : String(cause)}${
        given.adminUrl === undefined ? '' : '\nIs DATABASE__ADMIN_URL right, and may its user make roles and schemas?'
      }`,
      { cause },
    )
  })
  print(`Postgres: tables are up to date (${seconds(performance.now() - migrating)})`)
}

async function startNatsServer(plan: Plan, start: Start): Promise<void> {
  const began = performance.now()
  if (plan.given.natsUrl !== undefined) {
    plan.print('NATS: yours, from NATS__URL. All services use its one user, so per-service permissions are off.')
    const { ensureEventStream } = await import('@youworker/messaging/events/ensure-event-stream')
    const logger = createLogger({ name: 'nats', level: 'warn', format: 'text' })
    return ensureEventStream({ url: plan.given.natsUrl, logger }).catch((cause: unknown) => {
      throw new StartError(`NATS__URL: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    })
  }
  await start(natsSpec(plan))
  plan.print(`NATS: up on port ${plan.ports.nats} (${seconds(performance.now() - began)})`)
}

function describe({ addresses, given, ports, secrets }: Plan, processes: readonly SupervisedProcess[]): Endpoints {
  return {
    api: urlOf(ports.gateway),
    nats: given.natsUrl ?? natsAdminUrl(secrets, ports.nats),
    postgres: addresses.adminUrl,
    root_api_key: secretValue('SECURITY__ROOT_API_KEY', given, secrets),
    processes: processes.map(({ spec, pid, healthUrl }) => ({
      name: spec.name,
      pid: pid ?? null,
      ...(healthUrl === undefined ? {} : { health_url: healthUrl }),
      ...(spec.url === undefined ? {} : { url: spec.url }),
    })),
  }
}

/** Sort key of the printed order: servers before the services that need them, replicas by number. */
function rank({ spec: { name } }: SupervisedProcess): number {
  const [service = '', n = '0'] = name.split('.')
  return ['postgres', 'nats', 'offline-model', ...SERVICES].indexOf(service) * 100 + Number(n)
}

const isServerName = (name: string): boolean => name === 'postgres' || name === 'nats'
const isServer = ({ spec }: SupervisedProcess): boolean => isServerName(spec.name)

const ASK_MS = 3_000

function watchedServers({ addresses, secrets, ports }: Plan, processes: readonly SupervisedProcess[]): WatchedServer[] {
  const asks: Readonly<Record<string, () => Promise<void>>> = {
    postgres: async () => (await import('@youworker/database/connection/ask-server')).askPostgres(addresses.adminUrl, ASK_MS),
    nats: async () =>
      (await import('@youworker/messaging/connection/ask-server')).askNats(natsAdminUrl(secrets, ports.nats), ASK_MS),
  }
  return processes.flatMap((process) => {
    const ask = asks[process.spec.name]
    return ask ? [{ process, ask }] : []
  })
}

/** Stops the services before Postgres and NATS, which they still need while they stop. */
async function stopAll(processes: readonly SupervisedProcess[], { leaving }: Replicas, { ports }: Plan): Promise<void> {
  await Promise.all([ports.gateway[Symbol.asyncDispose](), ports.tools[Symbol.asyncDispose]()])
  const services = [...processes.filter((one) => !isServer(one)), ...leaving]
  await Promise.all(services.map((one) => one.stop(GRACE_MS.services)))
  await Promise.all(processes.filter(isServer).map((one) => one.stop(GRACE_MS.servers)))
}

const upTo = (count: number, specOf: (service: ServiceName, n: number) => ProcessSpec, service: ServiceName): ProcessSpec[] =>
  Array.from({ length: count }, (_, index) => specOf(service, index + 1))

async function rotateLog(file: string): Promise<void> {
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  )
  if (size > LARGEST_LOG) await rename(file, `${file}.1`)
}

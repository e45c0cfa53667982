import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type NatsAccounts, SERVICE_ACCOUNT } from '@youworker/contracts/topology/accounts'
import { SERVICES, type SchemaOwner, type ServiceName } from '@youworker/contracts/topology/topology'
import { migrateAll, roleUrl } from '@youworker/database/schema/migrate'
import { type EmbeddedNats, findNatsServer } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { readEnv } from '@youworker/runtime/process/config'
import { type Logger, silentLogger } from '@youworker/runtime/logger'
import type { Service } from '@youworker/runtime/process/service'
import { type DatabaseUrl, type SystemAddresses, serviceEnvironment } from '../settings/environment.ts'
import { accountsOf, natsAdminUrl, startNatsWithEvents } from '../supervisor/process-specs.ts'
import { recordOf } from '../record-of.ts'
import { makeSecrets, SCHEMA_OWNERS, type Secrets } from '../data-dir/secrets.ts'
import { type Environments, START, startServices } from './services-in-process.ts'
import { readGivenSettings } from '../settings/settings.ts'

const READY_MS = 60_000
const WATCHER = 'watcher'

export interface SystemOptions {
  /** An administrator's URL of an existing database. Without it an embedded Postgres is started. */
  readonly adminUrl?: string | undefined
  /** One password for all roles. Roles belong to the whole Postgres server, so systems that share one must agree. */
  readonly rolePassword?: string | undefined
  /** A script of the offline model (OFFLINE_MODEL__SCRIPT). */
  readonly script?: string | undefined
  /** Speed of the offline model. The default, 0, sends the answer without pauses. */
  readonly tokensPerSecond?: number | undefined
  /** Settings for all services, like a user's environment. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly logger?: Logger | undefined
}

/** A service or server that a test can stop and start. */
export interface Restartable {
  stop(): Promise<void>
  start(): Promise<void>
}

export interface System extends AsyncDisposable {
  readonly api: string
  readonly rootApiKey: string
  readonly adminUrl: string
  readonly natsAdminUrl: string
  /** Of a user who hears everything in the account of the services. */
  readonly natsWatcherUrl: string
  readonly modelUrl: string
  readonly indexDir: string
  natsUrlOf(service: ServiceName): string
  databaseUrlOf(owner: SchemaOwner): string
  readonly services: Readonly<Record<ServiceName, Restartable>>
  readonly nats: Restartable & {
    /** Throws while NATS runs. */
    deleteStore(): Promise<void>
  }
}

/** Starts all services and an offline model in this process, beside a nats-server of their own. Resolves when they are ready. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  await using stack = new AsyncDisposableStack()
  const logger = options.logger ?? silentLogger()
  const dir = await mkdtemp(join(tmpdir(), 'youworker-system-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const made = await makeSecrets()
  const secrets = options.rolePassword === undefined ? made : withRolePassword(made, options.rolePassword)
  const [adminUrl, nats, modelUrl] = await Promise.all([
    options.adminUrl ?? startOwnPostgres(stack, dir, secrets),
    startOwnNats(stack, dir, secrets),
    startModel(stack, options, logger),
  ])
  await migrateAll({ adminUrl, passwords: secrets.role_passwords, logger })

  const [apiPort, toolsPort] = [await freePort(), await freePort()]
  const api = `http://127.0.0.1:${apiPort}`
  const databaseUrlOf = (owner: SchemaOwner) => roleUrl(adminUrl, owner, secrets.role_passwords[owner])
  const natsUrlOf = (service: ServiceName) => `nats://${service}:${secrets.nats_passwords[service]}@127.0.0.1:${nats.port}`
  const addresses = { adminUrl, natsUrlOf, modelUrl, toolsUrl: `http://127.0.0.1:${toolsPort}`, indexDir: join(dir, 'index') }
  const environments = environmentsOf(addresses, { apiPort, toolsPort }, secrets, databaseUrlOf, options.env)
  const services = await startRestartableServices(stack, environments, logger)
  const owned = stack.move()
  return {
    api,
    adminUrl,
    modelUrl,
    natsUrlOf,
    databaseUrlOf,
    services,
    nats,
    indexDir: addresses.indexDir,
    rootApiKey: environments.auth['SECURITY__ROOT_API_KEY'] ?? '',
    natsAdminUrl: natsAdminUrl(secrets, nats.port),
    natsWatcherUrl: `nats://${WATCHER}:${secrets.nats_password}@127.0.0.1:${nats.port}`,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const withRolePassword = (secrets: Secrets, password: string): Secrets => ({
  ...secrets,
  role_passwords: recordOf(SCHEMA_OWNERS, () => password),
})

async function startOwnPostgres(stack: AsyncDisposableStack, dir: string, secrets: Secrets): Promise<string> {
  const settings = { fsync: 'off', full_page_writes: 'off' }
  const options = { dataDir: join(dir, 'postgres'), port: await freePort(), password: secrets.postgres_password, settings }
  return stack.use(await startPostgres(options)).adminUrl
}

async function startOwnNats(
  stack: AsyncDisposableStack,
  dir: string,
  secrets: Secrets,
): Promise<System['nats'] & { port: number }> {
  const { path } = await findNatsServer()
  const options = {
    binary: path,
    dir: join(dir, 'nats'),
    port: await freePort(),
    accounts: withWatcher(accountsOf(secrets), secrets.nats_password),
    logFile: join(dir, 'nats.log'),
  }
  const launch = () => startNatsWithEvents(options, natsAdminUrl(secrets, options.port), [])
  let server: EmbeddedNats | undefined = await launch()
  const stop = async () => {
    await server?.stop()
    server = undefined
  }
  stack.defer(stop)
  return {
    port: options.port,
    stop,
    async start() {
      server ??= await launch()
    },
    async deleteStore() {
      if (server) throw new Error('stop NATS before its store is deleted')
      await rm(options.dir, { recursive: true, force: true })
    },
  }
}

function withWatcher(accounts: NatsAccounts, password: string): NatsAccounts {
  const { [SERVICE_ACCOUNT]: services = { users: [] }, ...others } = accounts
  return { ...others, [SERVICE_ACCOUNT]: { ...services, users: [...services.users, { user: WATCHER, password }] } }
}

async function startModel(
  stack: AsyncDisposableStack,
  { script, tokensPerSecond = 0 }: SystemOptions,
  logger: Logger,
): Promise<string> {
  const [{ startOfflineModel }, { Env }] = await Promise.all([
    import('@youworker/offline-model/app'),
    import('@youworker/offline-model/config'),
  ])
  const env = {
    OFFLINE_MODEL__PORT: '0',
    OFFLINE_MODEL__TOKENS_PER_SECOND: String(tokensPerSecond),
    OFFLINE_MODEL__SCRIPT: script,
  }
  const model = stack.use(await startOfflineModel(readEnv(Env, env), { logger }))
  return model.url
}

function environmentsOf(
  addresses: SystemAddresses,
  { apiPort, toolsPort }: { apiPort: number; toolsPort: number },
  secrets: Secrets,
  databaseUrl: DatabaseUrl,
  env: NodeJS.ProcessEnv | undefined,
): Environments {
  const given = readGivenSettings({ APP_ENV: 'test', ...env })
  const own: Readonly<Partial<Record<ServiceName, number>>> = { gateway: apiPort, tools: toolsPort }
  return recordOf(SERVICES, (service) =>
    serviceEnvironment(service, addresses, { health: 0, own: own[service] }, { given, secrets, databaseUrl }),
  )
}

async function startRestartableServices(
  stack: AsyncDisposableStack,
  environments: Environments,
  logger: Logger,
): Promise<System['services']> {
  const running: Partial<Record<ServiceName, Service>> = await startServices(environments, { logger })
  const services = recordOf(SERVICES, (name): Restartable => {
    const stop = async () => {
      const service = running[name]
      delete running[name]
      await service?.[Symbol.asyncDispose]()
    }
    const start = async () => {
      running[name] ??= await START[name](environments[name], { logger: logger.child({ service: name }) })
      await untilReady(name, running[name])
    }
    return { stop, start }
  })
  stack.defer(async () => {
    await services.gateway.stop()
    await Promise.allSettled(SERVICES.map((name) => services[name].stop()))
  })
  await Promise.all(SERVICES.map((name) => services[name].start()))
  return services
}

async function untilReady(name: ServiceName, { readiness }: Service): Promise<void> {
  for (const until = Date.now() + READY_MS; !readiness.isReady; await sleep(50)) {
    if (Date.now() < until) continue
    throw new Error(`${name} was not ready after ${READY_MS / 1000} s: ${JSON.stringify(readiness.components)}`)
  }
}

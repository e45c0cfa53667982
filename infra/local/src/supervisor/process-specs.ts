import { join } from 'node:path'
import { type NatsAccounts, natsAccounts, teamAccounts } from '@youworker/contracts/topology/accounts'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { type EmbeddedNats, findNatsServer, startNats } from '@youworker/embedded/nats'
import { readTeams } from '@youworker/embedded/nats-teams'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { ensureEventStream } from '@youworker/messaging/events/ensure-event-stream'
import { createLogger } from '@youworker/runtime/logger'
import { type DatabaseUrl, type SystemAddresses, serviceEnvironment, withoutSecrets } from '../settings/environment.ts'
import { startNodeProcess } from './node-process.ts'
import type { DataDir } from '../data-dir/data-dir.ts'
import { ROOT } from '../paths.ts'
import type { SystemPorts } from './ports.ts'
import { recordOf } from '../record-of.ts'
import type { Print } from '../print.ts'
import type { Secrets } from '../data-dir/secrets.ts'
import type { GivenSettings } from '../settings/settings.ts'
import type { ProcessSpec, Running } from './supervised-process.ts'

/**
 * How long a replaced process may finish what runs. A gateway waits for idle connections until their clients let go of them, which
 * they do after its keep-alive time of 65 s; other services hand back what has not ended.
 */
const DRAIN_MS = { gateway: 70_000, others: 10_000 } as const

export interface Plan {
  readonly data: DataDir
  readonly ports: SystemPorts
  readonly secrets: Secrets
  readonly given: GivenSettings
  readonly addresses: SystemAddresses
  readonly databaseUrl: DatabaseUrl
  readonly print: Print
}

export function postgresSpec({ data, ports, secrets, print }: Plan): ProcessSpec {
  return {
    name: 'postgres',
    launch: async () =>
      asRunning(
        await startPostgres({
          dataDir: data.postgres,
          port: ports.postgres,
          password: secrets.postgres_password,
          logFile: data.log('postgres'),
          onProgress: print,
        }),
      ),
  }
}

export function natsSpec({ data, ports, secrets, print }: Plan): ProcessSpec {
  return {
    name: 'nats',
    async launch() {
      const { path } = await findNatsServer({ onProgress: print })
      const teams = await readTeams(data.teams)
      const options = { dir: data.nats, port: ports.nats, accounts: accountsOf(secrets), logFile: data.log('nats') }
      return asRunning(await startNatsWithEvents({ binary: path, ...options }, natsAdminUrl(secrets, ports.nats), teams))
    },
  }
}

/** Whenever the server starts, its store may be new: the stream of events is made before any service asks for it. */
export async function startNatsWithEvents(
  options: Parameters<typeof startNats>[0],
  adminUrl: string,
  teams: readonly NatsTeam[],
): Promise<EmbeddedNats> {
  const server = await startNats({ ...options, teams: teamAccounts(teams) })
  try {
    await ensureEventStream({ url: adminUrl, logger: createLogger({ name: 'nats', level: 'warn', format: 'text' }), teams })
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

export const natsAdminUrl = (secrets: Secrets, port: number): string =>
  `nats://${NATS_ADMIN}:${secrets.nats_password}@127.0.0.1:${port}`

/** The administrator and the services, each with the permissions that the contracts give it. */
export const accountsOf = (secrets: Secrets): NatsAccounts =>
  natsAccounts((user) => (user === NATS_ADMIN ? secrets.nats_password : secrets.nats_passwords[user]))

export function modelSpec({ data, ports, given }: Plan): ProcessSpec {
  const { own, health } = ports.model
  return {
    name: 'offline-model',
    url: `http://127.0.0.1:${own}`,
    launch: () =>
      startNodeProcess({
        script: join(ROOT, 'infra/offline-model/src/main.ts'),
        env: {
          ...withoutSecrets(given.env),
          OFFLINE_MODEL__PORT: String(own),
          HEALTH__PORT: String(health),
          SHUTDOWN__GRACE_MS: '500',
        },
        logFile: data.log('offline-model'),
        cwd: ROOT,
        healthUrl: readyUrl(health),
      }),
  }
}

/** One replica of a service: `group.2`. */
export function serviceSpec(plan: Plan, service: ServiceName, n: number): ProcessSpec {
  const name = `${service}.${n}`
  return {
    name,
    url: service === 'gateway' || service === 'tools' ? urlOf(plan.ports[service]) : undefined,
    drainMs: service === 'gateway' ? DRAIN_MS.gateway : DRAIN_MS.others,
    launch: async () => {
      const health = await freePort()
      return startNodeProcess({
        script: join(ROOT, `services/${service}/src/main.ts`),
        env: environmentOf(plan, service, health),
        logFile: plan.data.log(name),
        cwd: ROOT,
        healthUrl: readyUrl(health),
      })
    },
  }
}

/** All services in one Node process. */
export function singleProcessSpec(plan: Plan): ProcessSpec {
  const name = 'youworker.1'
  return {
    name,
    url: urlOf(plan.ports.gateway),
    drainMs: DRAIN_MS.gateway,
    launch: async () => {
      const health = await freePort()
      return startNodeProcess({
        script: join(ROOT, 'infra/local/src/in-process/single-process.ts'),
        env: {
          ...withoutSecrets(plan.given.env),
          SHUTDOWN__GRACE_MS: '3000',
          HEALTH__PORT: String(health),
          SYSTEM__ENVIRONMENTS: JSON.stringify(recordOf(SERVICES, (service) => environmentOf(plan, service, 0))),
        },
        logFile: plan.data.log(name),
        cwd: ROOT,
        healthUrl: readyUrl(health),
      })
    },
  }
}

function environmentOf(plan: Plan, service: ServiceName, health: number): NodeJS.ProcessEnv {
  const { given, secrets, databaseUrl, ports } = plan
  const own = service === 'gateway' || service === 'tools' ? ports[service].port : undefined
  const environment = serviceEnvironment(service, plan.addresses, { health, own }, { given, secrets, databaseUrl })
  return own === undefined ? environment : { ...environment, CONNECTIONS__FROM: 'supervisor' }
}

export const urlOf = ({ port }: { readonly port: number }): string => `http://127.0.0.1:${port}`
const readyUrl = (port: number): string => `http://127.0.0.1:${port}/health/ready`

/** Adapts an embedded server. Its `stop` escalates its signal after each `graceMs`. */
function asRunning(server: { pid: number; exited: Running['exited']; stop(stepMs?: number): Promise<void> }): Running {
  return { pid: server.pid, exited: server.exited, stop: (graceMs) => server.stop(graceMs) }
}

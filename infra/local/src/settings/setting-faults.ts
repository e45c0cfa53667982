import { SERVICES } from '@youworker/contracts/topology/topology'
import { ConfigError, readEnv, type SettingFault } from '@youworker/runtime/process/config'
import type { z } from 'zod'
import { SCHEMA_OWNERS, type Secrets } from '../data-dir/secrets.ts'
import { recordOf } from '../record-of.ts'
import { isSecret, serviceEnvironment, withoutSecrets } from './environment.ts'
import { type Schemas, START_ENV } from './schemas.ts'
import type { GivenSettings } from './settings.ts'

/** Values of the right form in place of those that the start is going to choose. What is checked is what the user gave. */
const CHOSEN = {
  adminUrl: 'postgresql://localhost/youworker',
  natsUrlOf: () => 'nats://localhost',
  modelUrl: 'http://localhost',
  toolsUrl: 'http://localhost',
  indexDir: '.',
}
const NO_SECRETS: Secrets = {
  root_api_key: '',
  jwt_private_key: '',
  message_key: '',
  audit_key: '',
  csrf_secret: '',
  postgres_password: '',
  nats_password: '',
  role_passwords: recordOf(SCHEMA_OWNERS, () => ''),
  nats_passwords: recordOf(SERVICES, () => ''),
}
/** The start chooses these for each process, but a wrong value of the user's is told all the same. */
const PORTS = ['API__PORT', 'TOOLS__PORT', 'HEALTH__PORT']

/** What is wrong with the given settings, for any of the processes that are going to read them. Each fault once. */
export function settingFaults(given: GivenSettings, schemas: Schemas): SettingFault[] {
  const ports = Object.fromEntries(PORTS.flatMap((name) => (given.get(name) === undefined ? [] : [[name, given.get(name)]])))
  const environments = SERVICES.map((service) => {
    const databaseUrl = () => CHOSEN.adminUrl
    const made = serviceEnvironment(service, CHOSEN, { health: 0, own: 0 }, { given, secrets: NO_SECRETS, databaseUrl })
    return [schemas[service], { ...made, ...ports }] as const
  })
  const faults = [
    ...faultsOf(START_ENV, given.env),
    ...environments.flatMap(([schema, env]) => faultsOf(schema, env)),
    ...faultsOf(schemas['offline-model'], withoutSecrets(given.env)),
  ]
  const told = new Map(faults.map((fault) => [fault.message, fault]))
  return [...told.values()].filter(({ setting }) => given.get(setting) !== undefined || !isSecret(setting))
}

function faultsOf(schema: z.ZodObject, env: NodeJS.ProcessEnv): readonly SettingFault[] {
  try {
    readEnv(schema, env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

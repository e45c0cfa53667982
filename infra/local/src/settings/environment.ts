import { SCHEMAS, type SchemaOwner, type ServiceName } from '@youworker/contracts/topology/topology'
import type { Secrets } from '../data-dir/secrets.ts'
import type { GivenSettings } from './settings.ts'

/** Services that receive each secret. All others run without it, also when the user set it for the whole start. */
const SECRET_OWNERS: Readonly<Record<string, readonly ServiceName[]>> = {
  DATABASE__ADMIN_URL: [],
  DATABASE__URL: [],
  NATS__URL: [],
  SECURITY__ROOT_API_KEY: ['auth'],
  SECURITY__JWT_PRIVATE_KEY: ['auth'],
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: ['group', 'chat-agent', 'ingestion'],
  SECURITY__AUDIT_KEY: ['auth'],
  LLM__OPENAI_API_KEY: ['chat-agent'],
  LLM__QDRANT_API_KEY: ['ingestion'],
  AUDIO__API_KEY: ['gateway', 'ingestion'],
  SECURITY__CSRF_SECRET: ['gateway'],
}

export const isSecret = (name: string): boolean => name in SECRET_OWNERS

/** URL of the database with the role of one service. */
export type DatabaseUrl = (owner: SchemaOwner) => string

export interface SystemAddresses {
  readonly adminUrl: string
  readonly natsUrlOf: (service: ServiceName) => string
  readonly modelUrl: string
  readonly toolsUrl: string
  readonly indexDir: string
}

/** The user's value of a secret, else the generated one. */
export function secretValue(name: string, given: GivenSettings, secrets: Secrets): string {
  const made: Readonly<Record<string, string>> = {
    SECURITY__ROOT_API_KEY: secrets.root_api_key,
    SECURITY__JWT_PRIVATE_KEY: secrets.jwt_private_key,
    SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: secrets.message_key,
    SECURITY__AUDIT_KEY: secrets.audit_key,
    SECURITY__CSRF_SECRET: secrets.csrf_secret,
  }
  return given.get(name) ?? made[name] ?? ''
}

/** The environment of one service: the user's settings, values chosen by this start for the rest, and no other service's secrets. */
export function serviceEnvironment(
  service: ServiceName,
  addresses: SystemAddresses,
  ports: { readonly health: number; readonly own?: number | undefined },
  { given, secrets, databaseUrl }: { given: GivenSettings; secrets: Secrets; databaseUrl: DatabaseUrl },
): NodeJS.ProcessEnv {
  const inherited = withoutSecrets(given.env)
  const secretNames = Object.keys(SECRET_OWNERS).filter((name) => SECRET_OWNERS[name]?.includes(service))
  return {
    APP_ENV: 'development',
    LOG_LEVEL: 'info',
    SHUTDOWN__GRACE_MS: '3000',
    ...DEFAULTS[service]?.(addresses),
    ...inherited,
    ...offlineModel(service, given),
    ...Object.fromEntries(secretNames.map((name) => [name, secretValue(name, given, secrets)])),
    NATS__URL: addresses.natsUrlOf(service),
    HEALTH__PORT: String(ports.health),
    ...(service in SCHEMAS ? { DATABASE__URL: databaseUrl(service as SchemaOwner) } : {}),
    ...(service === 'gateway' ? { API__PORT: String(ports.own) } : {}),
    ...(service === 'tools' ? { TOOLS__PORT: String(ports.own) } : {}),
  }
}

const DEFAULTS: Readonly<Partial<Record<ServiceName, (addresses: SystemAddresses) => NodeJS.ProcessEnv>>> = {
  // People and Prometheus on this machine see health and metrics without a key.
  gateway: () => ({ API__HOST: '127.0.0.1', SECURITY__RATE_LIMITS: 'generous', SECURITY__OPS_PEERS: '127.0.0.0/8,::1' }),
  'chat-agent': ({ modelUrl, toolsUrl }) => ({ LLM__OLLAMA_BASE_URL: modelUrl, TOOLS__URL: toolsUrl }),
  ingestion: ({ modelUrl, indexDir }) => ({ LLM__OLLAMA_BASE_URL: modelUrl, INDEX__DIR: indexDir }),
}

/** The offline model serves only this name. It is stored with each embedding, so that these are not mistaken for a real model's. */
const OFFLINE = 'youworker-offline'

function offlineModel(service: ServiceName, { ollamaUrl, get }: GivenSettings): NodeJS.ProcessEnv {
  if (ollamaUrl !== undefined) return {}
  if (service === 'ingestion') return { LLM__EMBED_MODEL: OFFLINE }
  // With another server for answers the offline model only embeds.
  const answers = service === 'chat-agent' && get('LLM__OPENAI_BASE_URL') === undefined
  return answers ? { LLM__CHAT_MODEL: OFFLINE } : {}
}

/** Drops secrets, npm's own variables, and empty ones: these count as unset and must not override a chosen value. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== '' && !isSecret(name) && !/^(npm_|NODE_CHANNEL_)/.test(name)),
  )
}

import { SCHEMAS, type SchemaOwner, type ServiceName } from '@youworker/contracts/topology/topology'
import type { Secrets } from './secrets.ts'
import type { GivenSettings } from './settings.ts'

/** Only who needs one of these gets it, whoever set it. */
const SECRET_OWNERS: Readonly<Record<string, readonly ServiceName[]>> = {
  DATABASE__ADMIN_URL: [],
  DATABASE__URL: [],
  NATS__URL: [],
  SECURITY__ROOT_API_KEY: ['auth'],
  SECURITY__JWT_PRIVATE_KEY: ['auth'],
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: ['chat-agent', 'ingestion'],
  SECURITY__CSRF_SECRET: ['gateway'],
}

export interface SystemAddresses {
  readonly adminUrl: string
  readonly natsUrlOf: (service: ServiceName) => string
  readonly modelUrl: string
  readonly toolsUrl: string
  readonly indexDir: string
}

/** Our choice of every secret; what the user set goes before it. */
export function secretValue(name: string, given: GivenSettings, secrets: Secrets): string {
  const made: Readonly<Record<string, string>> = {
    SECURITY__ROOT_API_KEY: secrets.root_api_key,
    SECURITY__JWT_PRIVATE_KEY: secrets.jwt_private_key,
    SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: secrets.message_key,
    SECURITY__CSRF_SECRET: secrets.csrf_secret,
  }
  return given.get(name) ?? made[name] ?? ''
}

/** The environment of one service: what the user set, completed with what this start chose; no other service's secrets. */
export function serviceEnvironment(
  service: ServiceName,
  addresses: SystemAddresses,
  ports: { readonly health: number; readonly own?: number | undefined },
  { given, secrets, databaseUrl }: { given: GivenSettings; secrets: Secrets; databaseUrl: (owner: SchemaOwner) => string },
): NodeJS.ProcessEnv {
  const inherited = withoutSecrets(given.env)
  const secretNames = Object.keys(SECRET_OWNERS).filter((name) => SECRET_OWNERS[name]?.includes(service))
  return {
    APP_ENV: 'development',
    LOG_LEVEL: 'info',
    SHUTDOWN__GRACE_MS: '3000',
    ...DEFAULTS[service]?.(addresses),
    ...inherited,
    ...(given.ollamaUrl === undefined ? OFFLINE_MODELS[service] : {}),
    ...Object.fromEntries(secretNames.map((name) => [name, secretValue(name, given, secrets)])),
    NATS__URL: addresses.natsUrlOf(service),
    HEALTH__PORT: String(ports.health),
    ...(service in SCHEMAS ? { DATABASE__URL: databaseUrl(service as SchemaOwner) } : {}),
    ...(service === 'gateway' ? { API__PORT: String(ports.own) } : {}),
    ...(service === 'tools' ? { TOOLS__PORT: String(ports.own) } : {}),
  }
}

const DEFAULTS: Readonly<Partial<Record<ServiceName, (addresses: SystemAddresses) => NodeJS.ProcessEnv>>> = {
  gateway: () => ({ API__HOST: '127.0.0.1', SECURITY__RATE_LIMITS: 'generous' }),
  'chat-agent': ({ modelUrl, toolsUrl }) => ({ LLM__OLLAMA_BASE_URL: modelUrl, TOOLS__URL: toolsUrl }),
  ingestion: ({ modelUrl, indexDir }) => ({ LLM__OLLAMA_BASE_URL: modelUrl, INDEX__DIR: indexDir }),
}

/** The offline model knows only itself, and what it embedded must not pass for a real model's work later. */
const OFFLINE_MODELS: Readonly<Partial<Record<ServiceName, NodeJS.ProcessEnv>>> = {
  'chat-agent': { LLM__CHAT_MODEL: 'youworker-offline' },
  ingestion: { LLM__EMBED_MODEL: 'youworker-offline' },
}

/** Empty variables count as unset, so they may not hide our choice; npm's own are of no use to a service. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isSecret = (name: string) => name.replace(/_FILE$/, '') in SECRET_OWNERS
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => value !== '' && !isSecret(name) && !/^(npm_|NODE_CHANNEL_)/.test(name)),
  )
}

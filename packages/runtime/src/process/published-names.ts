/** Names of settings in the published Python system, and the name that each has here. */
const RENAMED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'DATABASE__URL',
  DB_POOL_SIZE: 'DATABASE__POOL_SIZE',
  DB_MAX_OVERFLOW: 'DATABASE__MAX_OVERFLOW',
  DB_SLOW_QUERY_THRESHOLD: 'DATABASE__SLOW_QUERY_MS',
  DATABASE__SLOW_QUERY_THRESHOLD: 'DATABASE__SLOW_QUERY_MS',
  ROOT_API_KEY: 'SECURITY__ROOT_API_KEY',
  CSRF_SECRET: 'SECURITY__CSRF_SECRET',
  CHAT_MESSAGE_ENCRYPTION_SECRET: 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET',
  WHITELISTED_IPS: 'SECURITY__WHITELISTED_IPS',
  AUTHENTIK_ENABLED: 'SECURITY__AUTHENTIK_ENABLED',
  OLLAMA_BASE_URL: 'LLM__OLLAMA_BASE_URL',
  OLLAMA__BASE_URL: 'LLM__OLLAMA_BASE_URL',
  CHAT_MODEL: 'LLM__CHAT_MODEL',
  OLLAMA__CHAT_MODEL: 'LLM__CHAT_MODEL',
  EMBED_MODEL: 'LLM__EMBED_MODEL',
  OLLAMA__EMBED_MODEL: 'LLM__EMBED_MODEL',
  QDRANT_URL: 'LLM__QDRANT_URL',
  QDRANT__URL: 'LLM__QDRANT_URL',
  MAX_AGENT_ITERATIONS: 'AGENT__MAX_ITERATIONS',
  MCP_SERVER_URLS: 'MCP__SERVER_URLS',
  INGEST_CHUNK_SIZE: 'INGEST__CHUNK_TOKENS',
  INGESTION__CHUNK_SIZE: 'INGEST__CHUNK_TOKENS',
  INGEST_CHUNK_OVERLAP: 'INGEST__CHUNK_OVERLAP',
  INGESTION__CHUNK_OVERLAP: 'INGEST__CHUNK_OVERLAP',
  INGEST_UPLOAD_ROOT: 'INGEST__UPLOAD_ROOT',
  INGESTION__UPLOAD_ROOT: 'INGEST__UPLOAD_ROOT',
  API_HOST: 'API__HOST',
  API_PORT: 'API__PORT',
  API__APP_ENV: 'APP_ENV',
  API__LOG_LEVEL: 'LOG_LEVEL',
  API__FRONTEND_ORIGIN: 'FRONTEND_ORIGIN',
}

/** That system signs tokens with a shared secret; a JWT key of ours cannot be made from it. */
const JWT_SECRETS = ['SECURITY__JWT_SECRET', 'JWT_SECRET']
const JWT_KEY = 'SECURITY__JWT_PRIVATE_KEY'

export interface Translated {
  readonly env: NodeJS.ProcessEnv
  /** One sentence for each published name that was found. They contain no values. */
  readonly notices: readonly string[]
}

/**
 * The environment with the settings that a published `.env` gives under other names. A value under our own name wins. Names that
 * stand for a setting which `isKnown` does not know are left as they are.
 */
export function withPublishedNames(given: NodeJS.ProcessEnv, isKnown: (name: string) => boolean): Translated {
  const env = { ...given }
  const notices: string[] = []
  const isSet = (name: string) => Boolean(env[name] || env[`${name}_FILE`])
  for (const [published, name] of Object.entries(RENAMED)) {
    const value = given[published]
    if (!value || !isKnown(name)) continue
    delete env[published]
    if (isSet(name)) notices.push(`${published} is not used, because ${name} is set too.`)
    else {
      env[name] = name.endsWith('_MS') ? toMs(value) : value
      notices.push(`${published} is read as ${name}.`)
    }
  }
  for (const published of JWT_SECRETS.filter((name) => given[name] && isKnown(JWT_KEY))) {
    delete env[published]
    if (!isSet(JWT_KEY)) notices.push(`${published} is not used. JWT is RS256 now: run npm run youworker -- keys generate`)
  }
  return { env, notices }
}

/** Names that stand for a setting which has another name here. */
export const PUBLISHED_NAMES: readonly string[] = [...Object.keys(RENAMED), ...JWT_SECRETS]

/** Of seconds, with a fraction. What is no number stays, to be refused under the name of the setting. */
const toMs = (seconds: string): string =>
  Number.isFinite(Number(seconds)) ? String(Math.round(Number(seconds) * 1_000)) : seconds

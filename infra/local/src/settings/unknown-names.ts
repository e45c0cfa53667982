import { PUBLISHED_NAMES } from '@youworker/runtime/process/published-names'
import { nearest } from './nearest.ts'

/** Settings of the published Python system, or named for later versions, that do nothing here. */
const WITHOUT_EFFECT = [
  /^(DB_|DATABASE__)(ECHO|ECHO_POOL|POOL_TIMEOUT|POOL_RECYCLE|POOL_PRE_PING)$/,
  /^(SECURITY__)?(CSRF_(COOKIE_NAME|HEADER_NAME|TOKEN_TTL_SECONDS)|AUTHENTIK_(HEADER_NAME|FORWARD_USER_HEADER|URL))$/,
  /^(SECURITY__OIDC_\w+|SECURITY__LOCAL_ACCOUNTS)$/,
  /^(QDRANT__?COLLECTION|LLM__QDRANT_COLLECTION|(QDRANT__)?EMBEDDING_DIM|OLLAMA__?AUTO_PULL|MCP__?REFRESH_INTERVAL)$/,
  /^(INGEST_[A-Z]\w+|INGESTION__\w+|CRAWL_MAX_\w+|RETRY_\w+|STT_\w+|TTS_\w+|NEXT_(PUBLIC|INTERNAL)_\w+)$/,
  /^(BACKUP_ENCRYPTION_KEY|ENABLE_GPU_TORCH|AGENT_DEFAULT_LANGUAGE|POSTGRES_USER|POSTGRES_DB)$/,
]
/** Names in a .env that docker compose, Node and other programs read. */
const OF_OTHERS =
  /^(COMPOSE_|DOCKER_|POSTGRES_PASSWORD|NATS_PASSWORD|NATS__ADMIN_URL|SITE_ADDRESS$|NODE_|NPM_|OTEL_|PG|(HTTPS?|NO|ALL)_PROXY$|(PATH|HOME|TZ|LANG|LC_ALL|DEBUG|FAULT|NO_COLOR|FORCE_COLOR)$)/i

const LONGEST_NAME = 64
const MOST = 20

interface Names {
  /** Of the file .env. */
  readonly inFile: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly known: ReadonlySet<string>
}

/** A sentence for each name that is no setting, with the nearest one that is; and one for those that have no effect. */
export function unknownNames({ inFile, env, known }: Names): string[] {
  const file = new Set(inFile)
  const candidates = [...file, ...Object.keys(env).filter((name) => !file.has(name) && looksLikeOurs(name, known))]
  const names = new Set([...known, ...PUBLISHED_NAMES])
  const isKnown = (name: string) => names.has(name)
  const strange = candidates.filter((name) => !isKnown(name) && !isKnown(name.replace(/_FILE$/, '')) && !OF_OTHERS.test(name))
  const idle = strange.filter((name) => WITHOUT_EFFECT.some((pattern) => pattern.test(name)))
  const unknown = strange.filter((name) => !idle.includes(name))
  const told = unknown.slice(0, MOST).map((name) => {
    const where = file.has(name) ? ' in .env' : ''
    const close = name.length > LONGEST_NAME ? undefined : nearest(name, names)
    const shown = name.slice(0, LONGEST_NAME)
    return `${shown}${where} is no setting and changes nothing. ${close === undefined ? 'All settings are in .env.example.' : `Did you mean ${close}?`}`
  })
  if (unknown.length > MOST) told.push(`${unknown.length - MOST} more names are no settings; all settings are in .env.example.`)
  if (idle.length > 0) told.push(`Without effect in this version: ${idle.slice(0, 100).join(', ')}.`)
  return told
}

/** `API__PROT`, `DATABSE__URL` or `LLM_CHAT_MODEL`, and none of the many other variables of a machine. */
function looksLikeOurs(name: string, known: ReadonlySet<string>): boolean {
  if (name.length > LONGEST_NAME || name.startsWith('npm_')) return false
  const nested = [...known].filter((own) => own.includes('__'))
  const [prefix = ''] = name.split('__', 1)
  if (name.includes('__')) return nearest(prefix, new Set(nested.map((own) => own.split('__', 1)[0] ?? ''))) !== undefined
  return nested.some((own) => flat(own) === flat(name))
}

const flat = (name: string): string => name.toUpperCase().replaceAll(/_+/g, '_')

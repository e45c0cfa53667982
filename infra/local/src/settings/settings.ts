import { join } from 'node:path'
import { readSetting, UnreadableSetting } from '@youworker/runtime/process/read-setting'
import { ROOT } from '../paths.ts'
import type { Print } from '../print.ts'
import { StartError } from '../start-error.ts'

/** Settings of the user, from the environment or a file .env. They override the values that the start would choose. */
export interface GivenSettings {
  readonly adminUrl: string | undefined
  readonly natsUrl: string | undefined
  readonly ollamaUrl: string | undefined
  get(name: string): string | undefined
  /** What files named by NAME_FILE contain stands here as NAME. */
  readonly env: NodeJS.ProcessEnv
}

/** Reads the project's file .env, if there is one. Variables of the environment override it. */
export function loadDotEnv(print: Print): void {
  try {
    process.loadEnvFile(join(ROOT, '.env'))
    print('Settings are read from .env')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

export function readGivenSettings(given: NodeJS.ProcessEnv): GivenSettings {
  const env = withoutFiles(given)
  const get = (name: string): string | undefined => env[name] || undefined
  if (get('LLM__QDRANT_URL')) {
    throw new StartError(
      'LLM__QDRANT_URL is set: Qdrant comes later, this version searches in its built-in index. Unset it, then start again.',
    )
  }
  if (get('SECURITY__JWT_SECRET') && !get('SECURITY__JWT_PRIVATE_KEY')) {
    process.stderr.write('SECURITY__JWT_SECRET is not used: JWT is RS256 now: run npm run youworker -- keys generate\n')
  }
  return {
    // The start creates the services' roles, so a single URL must be an administrator's.
    adminUrl: postgresUrl(get('DATABASE__ADMIN_URL') ?? get('DATABASE__URL')),
    natsUrl: get('NATS__URL'),
    ollamaUrl: get('LLM__OLLAMA_BASE_URL'),
    get,
    env,
  }
}

/** Values instead of files, so that a value which the start chooses itself never stands beside the user's file. */
function withoutFiles(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const values = { ...env }
  for (const name of Object.keys(env)) {
    const setting = /^(\w+__\w+|APP_ENV|LOG_LEVEL|FRONTEND_ORIGIN)_FILE$/.exec(name)?.[1]
    if (setting === undefined) continue
    values[setting] = fromFile(setting, env)
    delete values[name]
  }
  return values
}

function fromFile(name: string, env: NodeJS.ProcessEnv): string | undefined {
  try {
    return readSetting(name, env)
  } catch (cause) {
    if (cause instanceof UnreadableSetting) throw new StartError(cause.message, { cause })
    throw cause
  }
}

const postgresUrl = (url: string | undefined): string | undefined => url?.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:')

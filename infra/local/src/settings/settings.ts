import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../paths.ts'
import type { Print } from '../print.ts'
import { StartError } from '../start-error.ts'

/** Settings of the user, from the environment or a file .env. They override the values that the start would choose. */
export interface GivenSettings {
  readonly adminUrl: string | undefined
  readonly natsUrl: string | undefined
  readonly ollamaUrl: string | undefined
  /** The value of the variable NAME, or the content of the file that NAME_FILE names. */
  get(name: string): string | undefined
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

export function readGivenSettings(env: NodeJS.ProcessEnv): GivenSettings {
  const get = (name: string): string | undefined => env[name] || fromFile(name, env[`${name}_FILE`])
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

function fromFile(name: string, file: string | undefined): string | undefined {
  if (!file) return undefined
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (cause) {
    throw new StartError(`${name}_FILE: ${file} cannot be read`, { cause })
  }
}

const postgresUrl = (url: string | undefined): string | undefined => url?.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:')

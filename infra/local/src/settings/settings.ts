import { withPublishedNames } from '@youworker/runtime/process/published-names'
import { readSetting, UnreadableSetting } from '@youworker/runtime/process/read-setting'

/** Settings of the user, from the environment or a file .env. They override the values that the start would choose. */
export interface GivenSettings {
  readonly adminUrl: string | undefined
  readonly natsUrl: string | undefined
  readonly ollamaUrl: string | undefined
  get(name: string): string | undefined
  /** What files named by NAME_FILE contain stands here as NAME. */
  readonly env: NodeJS.ProcessEnv
  /** Sentences about names of the published system. */
  readonly notices: readonly string[]
  /** Sentences about settings that cannot be read. */
  readonly faults: readonly string[]
}

export function readGivenSettings(given: NodeJS.ProcessEnv, isKnown: (name: string) => boolean = () => true): GivenSettings {
  const { env: named, notices } = withPublishedNames(given, isKnown)
  const { env, faults } = withoutFiles(named)
  const get = (name: string): string | undefined => env[name] || undefined
  return {
    // The start creates the services' roles, so a single URL must be an administrator's.
    adminUrl: postgresUrl(get('DATABASE__ADMIN_URL') ?? get('DATABASE__URL')),
    natsUrl: get('NATS__URL'),
    ollamaUrl: get('LLM__OLLAMA_BASE_URL'),
    get,
    env,
    notices,
    faults,
  }
}

/** Values instead of files, so that a value which the start chooses itself never stands beside the user's file. */
function withoutFiles(env: NodeJS.ProcessEnv): { env: NodeJS.ProcessEnv; faults: string[] } {
  const values = { ...env }
  const faults: string[] = []
  for (const name of Object.keys(env)) {
    const setting = /^(\w+__\w+|APP_ENV|LOG_LEVEL|FRONTEND_ORIGIN)_FILE$/.exec(name)?.[1]
    if (setting === undefined) continue
    delete values[name]
    try {
      values[setting] = readSetting(setting, env)
    } catch (error) {
      if (!(error instanceof UnreadableSetting)) throw error
      faults.push(error.message)
      delete values[setting]
    }
  }
  return { env: values, faults }
}

const postgresUrl = (url: string | undefined): string | undefined => url?.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:')

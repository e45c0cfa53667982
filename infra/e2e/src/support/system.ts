import { type System, startSystem } from '@youworker/local/in-process/system'
import { createLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { Person } from './person.ts'

export interface TestSystem extends AsyncDisposable {
  readonly api: string
  readonly running: System
  readonly root: Person
  readonly frontendOrigin: string
  newPerson(username: string): Promise<Person>
  /** All log lines of all services. */
  logs(): string
}

interface TestSystemOptions {
  readonly tokensPerSecond?: number
  /** A script of the offline model. */
  readonly script?: string
  readonly env?: Record<string, string>
}

/** On a busy machine an answer or an ingestion may take longer than a request may: most tests wait for it all the same. */
export const PATIENT_MS = '60000'
const FRONTEND_ORIGIN = 'http://app.test:3000'

/** Starts all services in this process, with a database, a nats-server and an offline model of their own. */
export async function startTestSystem(options: TestSystemOptions = {}): Promise<TestSystem> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await testDatabase({ template: 'empty', prepare: async () => {} }))
  const lines: string[] = []
  const logger = createLogger({ name: 'system', level: 'debug', write: (line) => void lines.push(line) })
  const system = stack.use(
    await startSystem({
      ...options,
      adminUrl: database.adminUrl,
      rolePassword: testPassword,
      env: { FRONTEND_ORIGIN, LOG_LEVEL: 'debug', AGENT__TITLES: 'words', API__DEADLINE_MS: PATIENT_MS, ...options.env },
      logger,
    }),
  )
  const owned = stack.move()
  const root = new Person(system.api, '', system.rootApiKey)
  return {
    api: system.api,
    running: system,
    root,
    frontendOrigin: FRONTEND_ORIGIN,
    async newPerson(username) {
      const { status, body } = await root.post('/v1/admin/users', { username })
      if (status !== 201) throw new Error(`no account for ${username}: ${JSON.stringify(body)}`)
      return new Person(system.api, body.id, body.api_key)
    },
    logs: () => lines.join(''),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

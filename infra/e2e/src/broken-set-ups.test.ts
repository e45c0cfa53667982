import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withPublishedNames } from '@youworker/runtime/process/published-names'
import { testDatabase } from '@youworker/test-kit/database'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { copyCheckout } from './support/checkout.ts'
import { spawnStart } from './support/spawned-system.ts'
import { jsonServer, natsWithoutStreams, oldPostgres, silentServer } from './support/wrong-servers.ts'

// What people get wrong, and the words in the last lines that bring them on. Each start ends by itself and leaves nothing.
vi.setConfig({ maxConcurrency: 4 })

interface BrokenSetUp {
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Makes files in the folder of the case; `data` there is its data folder. */
  readonly prepare?: (place: string) => Promise<unknown>
  /** All of them stand in the last lines. */
  readonly says: readonly (string | RegExp)[]
}

const LAST_LINES = 14
const SECRET = 'hunter2'
const KEY = 'mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM'

const setting = (name: string, value: string, ...says: (string | RegExp)[]): BrokenSetUp => ({
  env: { [name]: value },
  says: [name, ...says],
})
const inProduction = (name: string, value: string, ...says: (string | RegExp)[]): BrokenSetUp => ({
  env: { APP_ENV: 'production', [name]: value },
  says: [name, ...says],
})

const VALUES: readonly BrokenSetUp[] = [
  setting('API__PORT', 'eighty', '"eighty" must be a whole number from 0 to 65535'),
  setting('API__PORT', '70000', 'from 0 to 65535'),
  setting('API__PORT', '-1', 'from 0 to 65535'),
  setting('API_PORT', 'eighty', 'API_PORT is read as API__PORT', 'API__PORT: "eighty"'),
  setting('TOOLS__PORT', '1e4', 'from 0 to 65535'),
  setting('HEALTH__PORT', '8080/tcp', 'from 0 to 65535'),
  setting('OFFLINE_MODEL__PORT', 'x', 'from 0 to 65535'),
  setting('API__HOST', 'no-such-host.invalid', 'no address of this machine', '127.0.0.1'),
  setting('API__HOST', '203.0.113.7', 'no address of this machine', '0.0.0.0'),
  setting('INGEST__MAX_FILE_MB', '100MB', '"100MB" must be a whole number from 1 to 1024'),
  setting('INGEST__MAX_FILE_MB', '0', 'from 1 to 1024'),
  setting('INGEST__CHUNK_TOKENS', '50', 'INGEST__CHUNK_OVERLAP: must be less than INGEST__CHUNK_TOKENS'),
  setting('DATABASE__POOL_SIZE', '0', 'from 1 to 200'),
  setting('DATABASE__SLOW_QUERY_MS', '1.5', 'whole number'),
  setting('AGENT__MAX_ITERATIONS', 'many', 'from 1 to 50'),
  setting('SHUTDOWN__GRACE_MS', '8s', 'from 0 to 60000'),
  setting('SECURITY__AUTHENTIK_ENABLED', 'perhaps', '"perhaps" must be on or off'),
  setting('SECURITY__RATE_LIMITS', 'none', 'must be one of: on, generous, off'),
  setting('APP_ENV', 'prod', 'must be one of: development, test, production'),
  setting('LOG_LEVEL', 'loud', 'must be one of', 'debug'),
  setting('LLM__OLLAMA_BASE_URL', 'localhost:11434', 'has no scheme; write http://localhost:11434'),
  setting('LLM__OLLAMA_BASE_URL', 'my model', 'must be an http:// or https:// URL'),
  setting('OLLAMA_BASE_URL', 'ollama', 'LLM__OLLAMA_BASE_URL: "ollama" has no scheme; write http://ollama'),
  setting('TOOLS__URL', 'tools:8100', 'write http://tools:8100'),
  setting('MCP__SERVER_URLS', 'weather', 'must be name=url'),
  setting('MCP__SERVER_URLS', `semantic=http://h?token=${SECRET}`, 'belongs to a built-in server'),
  setting('FRONTEND_ORIGIN', '*', 'exact origins like https://'),
  setting('FRONTEND_ORIGIN', 'app.example.org', 'exact origins like https://'),
  setting('SECURITY__WHITELISTED_IPS', '127.0.0.1,YOUR_CLIENT_IP_HERE', 'addresses or CIDR ranges'),
  setting('SECURITY__TRUSTED_PROXIES', '10.0.0.0/99', 'addresses or CIDR ranges'),
  setting('DATABASE__ADMIN_URL', 'my database', 'postgresql://user:password@host'),
  setting('DATABASE__ADMIN_URL', `user:${SECRET}@localhost:5432/youworker`, 'postgresql://user:password@host'),
  setting('DATABASE__URL', `mysql://user:${SECRET}@localhost/youworker`, 'postgresql://user:password@host'),
  setting('DATABASE__ADMIN_URL', 'postgresql://user:50%@localhost/youworker', '%25'),
  setting('NATS__URL', 'localhost:4222', 'nats://user:password@host'),
  setting('NATS__URL', `http://user:${SECRET}@localhost:4222`, 'nats://user:password@host'),
  setting('SECURITY__ROOT_API_KEY', SECRET, 'at least 16 characters'),
  setting('SECURITY__CSRF_SECRET', SECRET, 'at least 16 characters'),
  setting('CHAT_MESSAGE_ENCRYPTION_SECRET', SECRET, 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: key 1', 'keys generate'),
  setting('SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET', `${KEY},${KEY}`, '"1:key,2:key"'),
  setting('SECURITY__AUDIT_KEY', `1:${SECRET}`, '32 bytes in base64url', 'keys generate'),
  setting('SECURITY__JWT_PRIVATE_KEY', SECRET, 'no private key in PEM', 'keys generate'),
  inProduction('SECURITY__ROOT_API_KEY', 'please-change-me-0123456789-abcdefgh', 'is weak', 'keys generate'),
  inProduction('ROOT_API_KEY', 'REPLACE_WITH_GENERATED_KEY', 'SECURITY__ROOT_API_KEY: is weak', 'keys generate'),
  inProduction('SECURITY__CSRF_SECRET', 'a'.repeat(64), 'is weak', 'keys generate'),
  inProduction('SECURITY__RATE_LIMITS', 'off', 'refused in production', 'generous'),
  inProduction('SECURITY__AUDIT_KEY', `1:${'A'.repeat(43)}`, 'is weak', 'keys generate'),
  setting('SECURITY__ROOT_API_KEY_FILE', '/no/such/file', '/no/such/file does not exist'),
  setting('NATS__URL_FILE', tmpdir(), 'is no regular file'),
  { env: { NATS__URL: 'nats://h', NATS__URL_FILE: '/x' }, says: ['NATS__URL and NATS__URL_FILE are both set; keep one'] },
  { env: { API__PROT: '80', LOG_LEVEL: 'x' }, says: ['API__PROT is no setting', 'Did you mean API__PORT?', 'LOG_LEVEL: "x"'] },
  setting('INDEX__DIR', import.meta.filename, 'is a file', 'name another folder'),
  setting('INDEX__DIR', '/proc/youworker/index', '/proc cannot be written', 'name another folder'),
  setting('HEALTH__HOST', '203.0.113.7', 'no address of this machine'),
  setting('TOOLS__HOST', 'tools', 'no address of this machine'),
  setting('OFFLINE_MODEL__SCRIPT', '/no/script.json', 'no file /no/script.json'),
]

const file =
  (name: string, content = '') =>
  async (place: string) => {
    await mkdir(join(place, name, '..'), { recursive: true })
    await writeFile(join(place, name), content)
  }

const FOLDERS_AND_ARGUMENTS: readonly [string, BrokenSetUp][] = [
  ['a data folder that is a file', { prepare: file('data'), says: [/data is a file/, '--data DIR'] }],
  ['a data folder below a file', { prepare: file('a'), args: ['--data', 'a/b/c'], says: [/\/a is a file/, '--data DIR'] }],
  ['a data folder with other files', { prepare: file('data/thesis.md'), says: ['no data folder of YouWorker', '--data DIR'] }],
  ['a data folder where none can be made', { args: ['--data', '/proc/youworker'], says: [/\/proc/, '--data DIR'] }],
  [
    'a lost secrets.json beside its database',
    { prepare: file('data/postgres/PG_VERSION', '18\n'), says: ['secrets.json is missing', 'backup', '--reset'] },
  ],
  ['a damaged secrets.json', { prepare: file('data/secrets.json', '{"root_api_key":'), says: ['is damaged', '--reset'] }],
  [
    'a database of another major version',
    { prepare: file('data/postgres/PG_VERSION', '17\n'), says: ['Postgres 17', 'Postgres 18', 'DATABASE__ADMIN_URL'] },
  ],
  ['an unknown option', { args: ['--onec'], says: ["Unknown option '--onec'. Did you mean --once?"] }],
  ['a file that is not there', { args: ['no-such.pdf'], says: ['no-such.pdf does not exist'] }],
  ['a folder without documents', { prepare: file('empty/x.bin'), args: ['empty'], says: ['no file that can be read', 'PDF'] }],
  ['replicas of a service that does not exist', { args: ['--replicas', 'grup=2'], says: ['SERVICE=COUNT', 'group'] }],
  ['an empty question', { args: ['--ask', ' '], says: ['--ask needs a question'] }],
  ['a status of what does not run', { args: ['status'], says: ['does not run', 'npm start'] }],
]

/** Servers that the settings name, and which live as long as the case. */
const SERVERS: readonly [string, (stack: AsyncDisposableStack) => Promise<BrokenSetUp>][] = [
  ['a Postgres that nobody runs', async () => postgresAt('127.0.0.1:1', 'does not answer', 'DATABASE__ADMIN_URL', 'built-in')],
  ['a Postgres of a name that does not exist', async () => postgresAt('no-such-host.invalid', 'does not answer', 'ENOTFOUND')],
  [
    'a Postgres that says nothing',
    async (stack) => postgresAt(`127.0.0.1:${stack.use(await silentServer()).port}`, 'does not answer', 'timeout'),
  ],
  [
    'a Postgres before 14',
    async (stack) => postgresAt(`127.0.0.1:${stack.use(await oldPostgres('13.16')).port}`, 'version 13.16', '14 or later'),
  ],
  [
    'a wrong password for Postgres',
    async () => ({
      env: { DATABASE_URL: changed(own.adminUrl, { password: SECRET }) },
      says: ['DATABASE__URL', 'refuses the login'],
    }),
  ],
  [
    'a database that does not exist',
    async () => ({
      env: { DATABASE__ADMIN_URL: changed(own.adminUrl, { pathname: '/none' }) },
      says: ['no database none', 'createdb'],
    }),
  ],
  [
    'a Postgres role that may not make roles',
    async () => ({
      env: { DATABASE__ADMIN_URL: limitedUrl },
      says: ['DATABASE__ADMIN_URL', 'ALTER ROLE "broken_set_up" CREATEROLE'],
    }),
  ],
  [
    'a lost secrets.json beside a database in use',
    async () => ({
      env: { DATABASE__ADMIN_URL: own.adminUrl },
      says: ['secrets.json', 'backup', 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET'],
    }),
  ],
  ['a NATS that nobody runs', async () => natsAt('127.0.0.1:1', 'does not answer', 'nats-server -js')],
  ['a NATS that says nothing', async (stack) => natsAt(`127.0.0.1:${stack.use(await silentServer()).port}`, 'does not answer')],
  [
    'a NATS without JetStream',
    async (stack) => natsAt(`127.0.0.1:${stack.use(await natsWithoutStreams()).port}`, 'no JetStream', 'nats-server -js'),
  ],
  [
    'a wrong password for NATS',
    async (stack) => natsAt(new URL(stack.use(await testNats()).url).host, 'refuses the login', 'user and password'),
  ],
  ['an Ollama that nobody runs', async () => ollamaAt('127.0.0.1:1', 'LLM__OLLAMA_BASE_URL', 'does not answer', 'ollama serve')],
  [
    'another server in place of Ollama',
    async (stack) => ollamaAt(`127.0.0.1:${stack.use(await jsonServer(404, {})).port}`, 'LLM__OLLAMA_BASE_URL', '404'),
  ],
  [
    'an Ollama without the models',
    async (stack) =>
      ollamaAt(`127.0.0.1:${stack.use(await jsonServer(200, { models: [] })).port}`, 'ollama pull qwen3', 'ollama pull bge-m3'),
  ],
]

const postgresAt = (host: string, ...says: string[]): BrokenSetUp => ({
  env: { DATABASE__ADMIN_URL: `postgresql+asyncpg://user:${SECRET}@${host}/youworker` },
  says,
})
const natsAt = (host: string, ...says: string[]): BrokenSetUp => ({
  env: { NATS__URL: `nats://user:${SECRET}@${host}` },
  says: ['NATS__URL', ...says],
})
/** With --once nothing can be mended while the system runs. */
const ollamaAt = (host: string, ...says: string[]): BrokenSetUp => ({
  env: { LLM__OLLAMA_BASE_URL: `http://${host}`, LLM__CHAT_MODEL: 'qwen3', LLM__EMBED_MODEL: 'bge-m3' },
  prepare: file('bees.md', '# Bees'),
  args: ['--once', 'bees.md'],
  says,
})

const changed = (url: string, parts: Partial<URL>): string => Object.assign(new URL(url), parts).href

let own: Awaited<ReturnType<typeof testDatabase>>
let limitedUrl: string
beforeAll(async () => {
  own = await testDatabase({
    template: 'in-use',
    prepare: (url) => run(url, 'create schema auth; create table auth.migrations ()'),
  })
  await run(own.adminUrl, `drop role if exists broken_set_up; create role broken_set_up login password '${SECRET}'`)
  limitedUrl = changed(own.adminUrl, { username: 'broken_set_up', password: SECRET })
})
afterAll(async () => {
  await run(own.adminUrl, 'drop role broken_set_up')
  await own[Symbol.asyncDispose]()
})

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql)
  await client.end()
}

async function outcomeOf({ args = [], env = {}, prepare }: BrokenSetUp) {
  const place = await mkdtemp(join(tmpdir(), 'youworker broken '))
  try {
    await prepare?.(place)
    const before = await readdir(place, { recursive: true })
    const dataDir = args.includes('--data') ? [] : ['--data', join(place, 'data')]
    const started = spawnStart(['--no-demo', ...dataDir, ...args], { env: env as Record<string, string>, cwd: place })
    const code = await started.exit
    const left = (await readdir(place, { recursive: true })).filter((name) => !before.includes(name))
    return { code, left, processes: await started.processes(), output: started.output() }
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

async function expectRefusal(broken: BrokenSetUp, lastLines = LAST_LINES): Promise<void> {
  const { output, ...outcome } = await outcomeOf(broken)
  expect(outcome, output).toEqual({ code: 1, left: [], processes: [] })
  const last = output.trimEnd().split('\n').slice(-lastLines).join('\n')
  const missing = broken.says.filter((words) => !(typeof words === 'string' ? last.includes(words) : words.test(last)))
  expect(missing, output).toEqual([])
  // Neither a stack, nor a log line of a machine, nor a secret.
  expect(output).not.toMatch(/^ {4}at |^\{"|hunter2/m)
}

/** All faults are told at once, so rows about different settings share a start: each is found by its own words. */
function inFewStarts(rows: readonly BrokenSetUp[]): BrokenSetUp[] {
  const starts: BrokenSetUp[] = []
  const namesOf = (env: NodeJS.ProcessEnv) =>
    Object.keys(withPublishedNames(env, () => true).env).map((name) => name.replace(/_FILE$/, ''))
  for (const row of rows) {
    const names = namesOf(row.env ?? {})
    const at = starts.findIndex(({ env = {} }) => !namesOf(env).some((name) => names.includes(name)))
    const { env, says = [] } = starts[at] ?? {}
    starts[at < 0 ? starts.length : at] = { env: { ...env, ...row.env }, says: [...says, ...row.says] }
  }
  return starts
}

test.concurrent.each(inFewStarts(VALUES).map((start) => [Object.keys(start.env ?? {}).join(), start] as const))(
  'wrong values of %s',
  // Names are told before the faults, and each fault has a line.
  (_, start) => expectRefusal(start, Infinity),
)
test.concurrent.each(FOLDERS_AND_ARGUMENTS)('%s', (_, broken) => expectRefusal(broken))
test.concurrent.each(SERVERS)('%s', async (_, prepare) => {
  await using stack = new AsyncDisposableStack()
  await expectRefusal(await prepare(stack))
})

/** As typed in a clone, `npm start` and all. */
describe('npm start in a clone', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'youworker clone '))
    await copyCheckout(join(dir, 'installed'), { installed: true })
    await copyCheckout(join(dir, 'fresh'), { installed: false })
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  const npmStart = (clone: string, args: readonly string[], env: Record<string, string> = {}) =>
    spawnStart(args, { command: ['npm', 'start'], cwd: join(dir, clone), env })

  test('npm took the options, .env is a folder, .env has faults', async () => {
    const swallowed = npmStart('installed', ['--once', '--ask', 'What is a bee?', '--no-demo'])
    expect([await swallowed.exit, swallowed.output()]).toEqual([
      1,
      expect.stringContaining('npm start -- --ask … --once --no-demo'),
    ])

    const file = join(dir, 'installed/.env')
    await mkdir(file)
    const folder = npmStart('installed', ['--', '--no-demo'])
    expect([await folder.exit, folder.output()]).toEqual([1, expect.stringMatching(/\.env is a folder.*NAME=value/)])
    await rm(file, { recursive: true })

    await writeFile(
      file,
      '\uFEFFAPI_PORT=eighty\r\nAPI__PROT=1\r\nLOG_LEVEL: debug\r\nSTT_MODEL=small\r\nLLM__QDRANT_URL=http://q:6333\r\n',
    )
    const wrong = npmStart('installed', ['--', '--no-demo'])
    expect(await wrong.exit).toBe(1)
    for (const words of [
      'API_PORT is read as API__PORT',
      'API__PROT in .env is no setting and changes nothing. Did you mean API__PORT?',
      'LOG_LEVEL: in .env sets nothing; write LOG_LEVEL=value',
      'Without effect in this version: STT_MODEL',
      'API__PORT: "eighty" must be a whole number',
    ])
      expect(wrong.output()).toContain(words)
    for (const { output } of [swallowed, folder, wrong]) expect(output()).not.toMatch(/^ {4}at |npm notice/m)
    expect(await readdir(join(dir, 'installed'))).not.toContain('.youworker')
  })

  test('without the registry the set-up says what it waits for', async () => {
    await using registry = await silentServer()
    const url = `http://127.0.0.1:${registry.port}/`
    const started = npmStart('fresh', ['--', '--no-demo'], { npm_config_registry: url, npm_config_cache: join(dir, 'cache') })
    const said = `Waiting for the npm registry ${url}, which does not answer`
    await expect.poll(() => started.output(), { timeout: 60_000 }).toContain(said)
    started.interrupt()
    await started.exit
    await waitFor(async () => (await started.processes()).length === 0, { what: 'the end of every process' })
  })
})

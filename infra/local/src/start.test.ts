import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { startQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker local '))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'start.ts'), ...args], {
    env: { ...process.env, INIT_CWD: dir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, output })), output: () => output }
}

/** A filled-in `.env` of the published Python system, in production and with flat names, but for its servers. */
const PUBLISHED = {
  CHAT_MODEL: 'gpt-oss:20b',
  EMBED_MODEL: 'embeddinggemma:300m',
  QDRANT_COLLECTION: 'documents',
  EMBEDDING_DIM: '768',
  MCP_SERVER_URLS: 'http://mcp_web:7001,http://mcp_semantic:7002,http://mcp_datetime:7003,http://mcp_units:7005',
  MCP_REFRESH_INTERVAL: '300',
  APP_ENV: 'production',
  API_HOST: '127.0.0.1',
  API_PORT: '8001',
  LOG_LEVEL: 'INFO',
  FRONTEND_ORIGIN: 'https://app.example.org:8000,https://localhost:8000',
  WHITELISTED_IPS: '127.0.0.1',
  ROOT_API_KEY: '6f1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3928170615243b4c5d6e7',
  JWT_SECRET: '0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9',
  CSRF_SECRET: 'c0ffee0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6',
  CHAT_MESSAGE_ENCRYPTION_SECRET: 'mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM=',
  AUTHENTIK_ENABLED: 'true',
  AUTHENTIK_HEADER_NAME: 'x-authentik-api-key',
  MAX_AGENT_ITERATIONS: '50',
  INGEST_UPLOAD_ROOT: '/data/uploads',
  RETRY_MAX_ATTEMPTS: '3',
  STT_MODEL: 'small',
  TTS_PROVIDER: 'melo',
}

test('a published .env starts the system, with the Postgres, NATS and Qdrant that it names instead of embedded ones', async () => {
  await using postgres = await startPostgres({
    dataDir: join(dir, 'own postgres'),
    port: await freePort(),
    password: 'p@ss word',
  })
  const { path } = await findNatsServer()
  await using nats = await startNats({
    binary: path,
    dir: join(dir, 'own nats'),
    port: await freePort(),
    accounts: { OWN: { jetstream: 'enabled', users: [{ user: 'all', password: 'of-them' }] } },
  })
  await using qdrant = await startQdrant()
  await writeFile(join(dir, 'bees.md'), '# Bees\n\nA bee visits two thousand flowers a day.\n')
  const { code, output } = await start(
    ['--single-process', '--once', '--data', 'own', 'bees.md', '--ask', 'How many flowers does a bee visit?'],
    {
      ...PUBLISHED,
      QDRANT_URL: qdrant.url,
      DATABASE_URL: postgres.adminUrl.replace('postgresql:', 'postgresql+asyncpg:'),
      NATS__URL: `nats://all:of-them@127.0.0.1:${nats.port}`,
      OFFLINE_MODEL__TOKENS_PER_SECOND: '0',
    },
  ).ended
  expect(output).toContain(`Postgres: yours, at 127.0.0.1:${postgres.port}`)
  expect(output).toContain('per-service permissions are off')
  for (const [published, name] of [
    ['DATABASE_URL', 'DATABASE__URL'],
    ['ROOT_API_KEY', 'SECURITY__ROOT_API_KEY'],
    ['CHAT_MESSAGE_ENCRYPTION_SECRET', 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET'],
    ['API_PORT', 'API__PORT'],
    ['QDRANT_URL', 'LLM__QDRANT_URL'],
  ])
    expect(output.split(`${published} is read as ${name}.\n`)).toHaveLength(2)
  expect(output).toContain('JWT is RS256 now')
  expect([qdrant.faults, qdrant.collections.points().length > 0]).toEqual([[], true])
  expect(output).not.toContain(dir.concat('/own/nats'))
  expect(output).toMatch(/two thousand flowers[^]*Sources:\n\[1\] Bees/)
  expect(code, output).toBe(0)
})

const mode = async (folder: string) => (await stat(folder)).mode & 0o777

test('a taken port and a data folder in use are reported, a data folder that is open to others is closed, and SIGTERM during the start ends all processes', async () => {
  const taken = createServer()
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await mkdir(join(dir, 'busy'))
  await chmod(join(dir, 'busy'), 0o755)
  const first = start(['--no-demo', '--data', 'busy'], {
    API__PORT: String(port),
    OLLAMA_BASE_URL: 'http://127.0.0.1:1',
    CHAT_MODEL: 'qwen3',
  })
  await waitFor(() => first.output().includes('Postgres: making'), { what: 'the start of Postgres' })
  expect(await mode(join(dir, 'busy'))).toBe(0o700)
  // Nobody's documents are lost while a model is away, so the system starts.
  expect(first.output()).toMatch(/Warning: LLM__OLLAMA_BASE_URL: Ollama at http:\/\/127\.0\.0\.1:1 does not answer.*ollama serve/)
  expect(first.output()).toMatch(new RegExp(`Port ${port} is taken; the API is on \\d+`))
  const second = await start(['--no-demo', '--data', 'busy']).ended
  expect(second).toEqual({
    code: 1,
    output: expect.stringContaining(`already runs with this data folder (process ${first.child.pid})`),
  })
  first.child.kill('SIGTERM')
  expect((await first.ended).code).toBe(130)
  taken.close()
  const status = await start(['status', '--data', 'busy']).ended
  expect(status).toEqual({ code: 1, output: expect.stringContaining('does not run') })
})

test('--reset refuses a folder that holds other files, and leaves it as it is', async () => {
  await writeFile(join(dir, 'thesis.md'), 'x')
  await chmod(dir, 0o755)
  const { code, output } = await start(['--no-demo', '--reset', '--data', '.']).ended
  expect([code, output]).toEqual([1, expect.stringContaining('is no data folder of YouWorker')])
  expect(await mode(dir)).toBe(0o755)
})

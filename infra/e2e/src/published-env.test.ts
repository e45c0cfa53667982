import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { startOfflineModel } from '@youworker/test-kit/offline-model'
import { startQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyCheckout } from './support/checkout.ts'
import { spawnStart } from './support/spawned-system.ts'

const CHAT_MODEL = 'gpt-oss:20b'
const EMBED_MODEL = 'embeddinggemma:300m'
const ROOT_KEY = '6f1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3928170615243b4c5d6e7'
const JWT_SECRET = '0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9'
const FERNET_KEY = 'mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM='

interface Servers {
  readonly database: string
  readonly ollama: string
  readonly qdrant: string
  readonly port: number
}

const FLAT = ({ database, ollama, qdrant, port }: Servers) => `
# Database
DATABASE_URL=${database}
DB_POOL_SIZE=20
DB_MAX_OVERFLOW=10
DB_SLOW_QUERY_THRESHOLD=0.5

# Security
ROOT_API_KEY=${ROOT_KEY}
JWT_SECRET=${JWT_SECRET}
CHAT_MESSAGE_ENCRYPTION_SECRET=${FERNET_KEY}
CSRF_SECRET=

# Models
OLLAMA_BASE_URL=${ollama}
CHAT_MODEL=${CHAT_MODEL}
EMBED_MODEL=${EMBED_MODEL}
QDRANT_URL=${qdrant}

API_HOST=127.0.0.1
API_PORT=${port}
INGEST_CHUNK_SIZE=400
MAX_AGENT_ITERATIONS=10
LOG_LEVEL=INFO
`
const NESTED = ({ database, ollama, qdrant, port }: Servers) => `
DATABASE__URL=${database}
DATABASE__POOL_SIZE=20
DATABASE__ECHO=false
SECURITY__ROOT_API_KEY=${ROOT_KEY}
SECURITY__JWT_SECRET=${JWT_SECRET}
SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET=${FERNET_KEY}
LLM__OLLAMA_BASE_URL="${ollama}"
LLM__CHAT_MODEL=${CHAT_MODEL}
LLM__EMBED_MODEL=${EMBED_MODEL}
LLM__QDRANT_URL=${qdrant}
LLM__QDRANT_COLLECTION=documents
API__HOST=127.0.0.1
API__PORT=${port}
API__LOG_LEVEL=INFO
`

/** Ollama with the models of a published `.env`: the offline model under their names. Keeps the names that it was asked for. */
async function startOllama() {
  await using stack = new AsyncDisposableStack()
  const model = stack.use(await startOfflineModel())
  const asked = new Set<string>()
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/api/tags') {
      response.end(JSON.stringify({ models: [CHAT_MODEL, EMBED_MODEL].map((name) => ({ name, model: name })) }))
      return
    }
    const body = (await text(request)).replace(/"model":"([^"]+)"/, (_, name: string) => {
      asked.add(name)
      return '"model":"youworker-offline"'
    })
    const method = request.method ?? 'GET'
    const answer = await fetch(`${model.url}${request.url}`, method === 'GET' ? {} : { method, body })
    response.writeHead(answer.status)
    if (answer.body) Readable.fromWeb(answer.body as never).pipe(response)
    else response.end()
  }
  const server = createServer((request, response) => void serve(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => void server.close())
  const owned = stack.move()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, asked, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker published '))
  await copyCheckout(join(dir, 'clone'), { installed: true })
  await writeFile(join(dir, 'bees.md'), '# Bees\n\nA bee visits about two thousand flowers a day.\n')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test.each([
  ['flat', FLAT, ['ROOT_API_KEY is read as SECURITY__ROOT_API_KEY.', 'QDRANT_URL is read as LLM__QDRANT_URL.']],
  ['nested', NESTED, ['API__LOG_LEVEL is read as LOG_LEVEL.', 'DATABASE__ECHO']],
])(
  'a published .env with %s names starts the system, on its database, models, key and port',
  async (name, content, told) => {
    await using stack = new AsyncDisposableStack()
    // A server of its own: a start sets the passwords of the roles, which all databases of a server share.
    const postgres = { dataDir: join(dir, `postgres ${name}`), port: await freePort(), password: 'published' }
    const { adminUrl } = stack.use(await startPostgres({ ...postgres, settings: { fsync: 'off' } }))
    const ollama = stack.use(await startOllama())
    const qdrant = stack.use(await startQdrant())
    const port = await freePort()
    const database = adminUrl.replace(/^postgres(ql)?:/, 'postgresql+asyncpg:')
    await writeFile(join(dir, 'clone/.env'), content({ database, ollama: ollama.url, qdrant: qdrant.url, port }))

    const started = spawnStart(['--', join(dir, 'bees.md'), '--ask', 'How many flowers does a bee visit a day?'], {
      command: ['npm', 'start'],
      cwd: join(dir, 'clone'),
      env: { LOG_LEVEL: '', API__DEADLINE_MS: '10000' },
    })
    stack.defer(async () => {
      started.child.kill('SIGTERM')
      await started.exit
    })
    const isUp = waitFor(() => started.output().includes('Ctrl+C stops it'), { what: 'the start', timeoutMs: 120_000 })
    const ended = started.exit.then((code) => Promise.reject(new Error(`the start ended with ${code}:\n${started.output()}`)))
    ended.catch(() => {})
    await Promise.race([isUp, ended])
    const output = started.output()
    expect(output).toMatch(/two thousand flowers[^]*\nSources:\n\[1\] Bees/)
    for (const words of [...told, 'JWT is RS256 now'])
      expect(output.split(words), `times that it said "${words}"`).toHaveLength(2)
    expect([qdrant.faults, qdrant.collections.points().length > 0]).toEqual([[], true])
    expect([...ollama.asked].toSorted()).toEqual([EMBED_MODEL, CHAT_MODEL].toSorted())
    const me = await fetch(`http://127.0.0.1:${port}/v1/auth/me`, { headers: { 'x-api-key': ROOT_KEY } })
    expect(await me.json()).toMatchObject({ is_root: true })
  },
  180_000,
)

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
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

test('a Postgres and a NATS that the user names are used instead of embedded ones', async () => {
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
  await writeFile(join(dir, 'bees.md'), '# Bees\n\nA bee visits two thousand flowers a day.\n')
  const { code, output } = await start(
    ['--single-process', '--once', '--data', 'own', 'bees.md', '--ask', 'How many flowers does a bee visit?'],
    {
      DATABASE__URL: '',
      DATABASE__ADMIN_URL: postgres.adminUrl.replace('postgresql:', 'postgresql+asyncpg:'),
      NATS__URL: `nats://all:of-them@127.0.0.1:${nats.port}`,
      OFFLINE_MODEL__TOKENS_PER_SECOND: '0',
    },
  ).ended
  expect(output).toContain(`Postgres: yours, at 127.0.0.1:${postgres.port}`)
  expect(output).toContain('per-service permissions are off')
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
  const first = start(['--no-demo', '--data', 'busy'], { API__PORT: String(port) })
  await waitFor(() => first.output().includes('Postgres: making'), { what: 'the start of Postgres' })
  expect(await mode(join(dir, 'busy'))).toBe(0o700)
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

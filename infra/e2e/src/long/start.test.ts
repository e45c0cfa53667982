import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { startQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from '../support/root.ts'
import { RawNats } from '../support/raw-nats.ts'
import { runPrintedExample, youworker } from '../support/team.ts'
import { disturbedChat, isRunning, runStart, type SpawnedSystem, spawnSystem } from '../support/spawned-system.ts'

/** An ordinary user's uid. It needs no account. */
const NOBODY = 65_534
const AT_ONCE = { OFFLINE_MODEL__TOKENS_PER_SECOND: '0' }
let dir: string
let files: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker start '))
  // One test runs as another user, who needs access.
  await chmod(dir, 0o755)
  files = join(dir, 'my files')
  await mkdir(join(files, 'notes'), { recursive: true })
  await writeFile(join(files, 'notes/bees.md'), '# Bees\n\nA bee visits about two thousand flowers a day.\n')
  await writeFile(
    join(files, 'whales.html'),
    '<html><head><title>Whales</title></head><body><p>A blue whale eats four tonnes of krill a day.</p></body></html>',
  )
  await writeFile(
    join(files, 'owls.pdf'),
    samplePdf([['Preface.'], ['An owl turns its head by two hundred and seventy degrees.']], 'Owls'),
  )
  await writeFile(join(files, 'broken.pdf'), '%PDF-1.7 and nothing')
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** Runs `--once` in the folder of the files. */
const runOnce = (name: string, ...args: string[]) =>
  runStart(['--once', '--data', join(dir, name), ...args], { env: AT_ONCE, cwd: files })

async function expectNothingLeft(system: SpawnedSystem, pids: readonly number[]) {
  for (const pid of pids) await waitFor(async () => !(await isRunning(pid)), { what: `the end of process ${pid}` })
  await waitFor(async () => (await system.started.processes()).length === 0, {
    what: 'the end of every process it started',
  }).catch(async (cause: unknown) => {
    throw new Error(`still running:\n${(await system.started.processes()).join('\n')}`, { cause })
  })
}

/** Makes and ends accounts and keys as an operator does, and signs in with what was printed. */
async function expectOwnAccounts(system: SpawnedSystem) {
  const youworker = async (...args: string[]) => {
    const script = join(ROOT, 'infra/cli/src/main.ts')
    return promisify(execFile)(process.execPath, [script, ...args, '--data', system.dataDir]).then(
      ({ stdout }) => stdout,
      (error: { stderr: string }) => error.stderr,
    )
  }
  const printed = await youworker('users', 'add', 'ada')
  const [, header = '', url = ''] = /^ {2}curl -H "(.+)" (\S+)$/m.exec(printed) ?? []
  const [name = '', key = ''] = header.split(': ')
  expect(await (await fetch(url, { headers: { [name]: key } })).json()).toMatchObject({ username: 'ada', is_root: false })
  expect(await youworker('users', 'add', 'ada')).toMatch(/taken/)

  const made = await youworker('keys', 'create', 'for reading', '--scopes', 'documents:read', '--days', '3')
  const [limited = '', id = ''] = [/^yw_\S+$/m.exec(made)?.[0], /keys revoke (\S+)/.exec(made)?.[1]]
  const read = async () => (await system.root.call('GET', '/v1/documents', undefined, { 'x-api-key': limited })).status
  expect(await read()).toBe(200)
  expect(await youworker('keys', 'list')).toMatch(new RegExp(`^${id}  for reading  documents:read  20`, 'm'))
  expect(await youworker('keys', 'revoke', id)).toContain('has ended')
  await waitFor(async () => (await read()) === 401, { what: 'the refusal of the revoked key' })
  const actions = (await system.root.get('/v1/admin/audit?limit=100')).body.entries.map(
    ({ action }: { action: string }) => action,
  )
  expect(actions).toEqual(expect.arrayContaining(['user.create', 'api_key.create', 'api_key.revoke']))
}

const pidsOf = async (system: SpawnedSystem) => (await system.endpoints()).processes.map(({ pid }) => pid ?? 0)
const control = (system: SpawnedSystem, ...args: string[]) => runStart([...args, '--data', system.dataDir])

test('seven processes answer from a folder, then a single process from a PDF, with title and page', async () => {
  const bees = await runOnce('a', 'notes', 'whales.html', '--ask', 'How many flowers does a bee visit a day?')
  expect(bees.output).toMatch(/two thousand flowers[\s\S]*\nSources:\n\[1\] Bees\n/)
  expect(bees.code).toBe(0)
  const owls = await runOnce('a', '--single-process', 'owls.pdf', '--ask', 'By how many degrees does an owl turn its head?')
  expect(owls.output).toMatch(
    /two hundred and seventy degrees[\s\S]*\nSources:\n\[1\] Owls, page 2|\nSources:\n\[1\] Owls, p\. 2/,
  )
  expect(owls.code).toBe(0)
}, 180_000)

/** Settings of the published Python system, under its nested names. */
const PUBLISHED = {
  SECURITY__ROOT_API_KEY: '6f1d2c3b4a5968778695a4b3c2d1e0f9f8e7d6c5b4a3928170615243b4c5d6e7',
  SECURITY__JWT_SECRET: '0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9',
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: 'mWq3yCZ0pNfT7vJk2sXhR8uLbE5dGaIo4tP1nQwYzUM=',
  LLM__QDRANT_COLLECTION: 'documents',
  LLM__CHAT_MODEL: 'gpt-oss:20b',
  LLM__EMBED_MODEL: 'embeddinggemma:300m',
  DATABASE__ECHO: 'false',
  API__HOST: '127.0.0.1',
  API__LOG_LEVEL: 'INFO',
  LOG_LEVEL: '',
}

test('the exit code tells a failed file, an answer without citation and a failed start apart, with published settings', async () => {
  await using qdrant = await startQdrant()
  // Nobody reads the memory of a process from its first byte on, not even root.
  const wrong = ['broken.pdf', '/proc/self/mem']
  const failed = await runStart(
    [
      '--once',
      '--data',
      join(dir, 'b'),
      '--single-process',
      ...wrong,
      'whales.html',
      '--ask',
      'How much krill does a whale eat?',
    ],
    { env: { ...AT_ONCE, ...PUBLISHED, LLM__QDRANT_URL: qdrant.url }, cwd: files },
  )
  expect([failed.code, failed.output]).toEqual([
    2,
    expect.stringMatching(/2 of 3 files failed: mem: cannot be read.*broken\.pdf: \S/),
  ])
  expect(failed.output).toMatch(/krill[^]*\nSources:\n\[1\] Whales/)
  expect([qdrant.faults, qdrant.collections.points().length > 0]).toEqual([[], true])
  for (const told of ['API__LOG_LEVEL is read as LOG_LEVEL.', 'JWT is RS256 now', 'DATABASE__ECHO'])
    expect(failed.output).toContain(told)
  const uncited = await runOnce('b2', '--single-process', 'whales.html', '--ask', 'zzz qqq xxx?')
  expect([uncited.code, uncited.output]).toEqual([3, expect.stringContaining('cites none of the given files')])
  const missing = await runOnce('b', 'no-such-folder', '--ask', 'x?')
  expect([missing.code, missing.output]).toEqual([1, expect.stringContaining('no-such-folder')])
}, 180_000)

test('two systems at once: own ports and data; status, logs, a team that reads events, restart, stop and Ctrl+C', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const port = (taken.address() as { port: number }).port
  const options = { env: { ...AT_ONCE, API__PORT: String(port) } }
  const [one, many] = await Promise.all([
    spawnSystem(join(dir, 'one'), ['--no-demo', '--single-process'], options),
    spawnSystem(join(dir, 'many'), ['--no-demo', '--replicas', 'gateway=2,group=2'], {
      env: { ...options.env, OFFLINE_MODEL__TOKENS_PER_SECOND: '4' },
    }),
  ])
  taken.close()
  const addresses: string[] = []
  for (const system of [one, many]) {
    const { api, processes } = await system.endpoints()
    expect(system.started.output()).toContain(`Port ${port} is taken; the API is on ${new URL(api).port}`)
    expect((await stat(join(system.dataDir, 'endpoints.json'))).mode & 0o777).toBe(0o600)
    // The gateways of a system share one address.
    addresses.push(...new Set(processes.flatMap(({ url }) => url ?? [])))
  }
  expect(new Set(addresses).size).toBe(addresses.length)
  expect(addresses).not.toContain(`http://127.0.0.1:${port}`)

  const names = (await one.endpoints()).processes.map(({ name }) => name)
  expect(names.sort()).toEqual(['nats', 'offline-model', 'postgres', 'youworker.1'])
  expect((await many.endpoints()).processes.map(({ name }) => name).sort()).toEqual([
    'analytics.1',
    'auth.1',
    'chat-agent.1',
    'gateway.1',
    'gateway.2',
    'group.1',
    'group.2',
    'ingestion.1',
    'nats',
    'offline-model',
    'postgres',
    'tools.1',
  ])
  expect((await readdir(many.dataDir)).sort()).toEqual(
    expect.arrayContaining(['endpoints.json', 'index', 'logs', 'nats', 'postgres']),
  )
  await one.root.upload([{ name: 'one.md', content: '# One\n\nOnly in the first system.' }])
  expect((await one.root.get('/v1/documents')).body.total).toBe(1)
  expect((await many.root.get('/v1/documents')).body.total).toBe(0)

  const added = await runStart(['add', 'whales.html', 'notes', '--data', many.dataDir], { cwd: files })
  expect([added.code, added.output]).toEqual([0, expect.stringMatching(/reading 2 files as root[^]*2 documents ready/)])
  const answered = await control(many, 'ask', 'How much krill does a blue whale', 'eat?')
  expect([answered.code, answered.output]).toEqual([
    0,
    expect.stringMatching(/four tonnes[^]*\nSources:\n\[1\] Whales\n\(.*install Ollama/),
  ])
  await expectOwnAccounts(many)
  // The root key of one system is invalid in the other.
  expect((await many.root.call('GET', '/v1/auth/me', undefined, { 'x-api-key': one.root.key ?? '' })).status).toBe(401)

  const status = await control(many, 'status')
  expect(status.code, status.output).toBe(0)
  for (const { name, pid } of (await many.endpoints()).processes) {
    expect(status.output).toMatch(new RegExp(`^${name.replace('.', '\\.')} +(up|ready) +process ${pid},`, 'm'))
  }
  const logs = await control(many, 'logs', 'group')
  expect([logs.code, logs.output]).toEqual([0, expect.stringMatching(/== group\.1[\s\S]*== group\.2/)])
  expect(await control(many, 'logs', 'nobody')).toEqual({ code: 1, output: expect.stringContaining('There is no log of nobody') })

  const before = new Map((await many.endpoints()).processes.map(({ name, pid }) => [name, pid]))
  const restarted = await control(many, 'restart', 'group')
  expect([restarted.code, restarted.output]).toEqual([0, expect.stringMatching(/\nRestarted: group\.1, group\.2\n$/)])
  await waitFor(async () => (await many.root.post('/v1/groups', { name: 'after the restart' })).status === 201, {
    what: 'the group service',
  })
  const after = new Map((await many.endpoints()).processes.map(({ name, pid }) => [name, pid]))
  expect(
    [...after]
      .filter(([name, pid]) => before.get(name) !== pid)
      .map(([name]) => name)
      .sort(),
  ).toEqual(['group.1', 'group.2'])
  expect((await control(many, 'restart', 'nothing')).code).toBe(1)

  const team = await youworker('nats', 'user', 'add', 'reports', '--events', 'group,ingestion', '--data', one.dataDir)
  await using example = runPrintedExample(team)
  await waitFor(() => example.output().includes('events.ingestion.v1.document.ingested'), { what: 'an event from before' })

  await one.kill('nats')
  await waitFor(() => one.deaths().includes('nats'), { what: 'the line about the death of NATS' })
  await waitFor(async () => (await one.root.get('/health/ready')).status === 200, { what: 'readiness after the restart of NATS' })
  expect((await one.root.chat('What is only in the first system?')).done.citations).toHaveLength(1)

  await one.root.post('/v1/groups', { name: 'after the death of NATS' })
  await waitFor(() => example.output().includes('events.group.v1.group.created'), { what: 'an event from after' })
  expect(example.output()).not.toMatch(/events\.(auth|chat-agent|gateway)\./)
  expect(await youworker('nats', 'user', 'list', '--data', one.dataDir)).toBe('team-reports  group,ingestion\n')
  expect(await youworker('nats', 'user', 'remove', 'reports', '--data', one.dataDir)).toContain(
    'The running server has taken it.',
  )
  const [, url = ''] = /NATS_URL=(\S+)/.exec(team) ?? []
  await waitFor(
    () =>
      RawNats.connect(url).then(
        (nats) => nats.core.close().then(() => false),
        () => true,
      ),
    {
      what: 'the refusal of the removed team',
    },
  )

  const pidsOfOne = await pidsOf(one)
  const stop = await control(one, 'stop')
  expect([stop.code, await one.started.exit], stop.output).toEqual([0, 0])
  await expectNothingLeft(one, pidsOfOne)
  expect(await control(one, 'status')).toEqual({ code: 1, output: expect.stringContaining('does not run') })

  const pidsOfMany = await pidsOf(many)
  let asked = Number.NaN
  await disturbedChat(many.root, 'Who are you?', {
    afterTokens: 2,
    disturb: async () => {
      asked = performance.now()
      many.started.interrupt()
    },
  })
  await many.started.exit
  // Ctrl+C must take less than 5 s (GRACE_MS in bring-up.ts).
  expect(performance.now() - asked).toBeLessThan(5_000)
  await expectNothingLeft(many, pidsOfMany)
  for (const system of [one, many]) {
    const teams = system === one ? ['teams.json'] : []
    expect((await readdir(system.dataDir)).sort()).toEqual(['index', 'logs', 'nats', 'postgres', 'secrets.json', ...teams])
  }
}, 240_000)

test('kill -9 of the supervisor leaves no process; the next start has the data, and --reset erases it', async () => {
  const data = join(dir, 'd')
  const system = await spawnSystem(data, ['--no-demo'], { env: AT_ONCE })
  await system.root.upload([{ name: 'kept.md', content: '# Kept\n\nThis survives.' }])
  const pids = await pidsOf(system)
  system.started.child.kill('SIGKILL')
  await system.started.exit
  await expectNothingLeft(system, pids)
  {
    await using again = await spawnSystem(data, ['--no-demo', '--single-process', '--watch'], { env: AT_ONCE })
    expect((await again.root.get('/v1/documents')).body.documents).toMatchObject([{ title: 'Kept' }])
    // A developer saves a file.
    await waitFor(() => again.started.output().includes('Ctrl+C'), { what: 'the end of the start' })
    await utimes(join(ROOT, 'services/group/src/app.ts'), new Date(), new Date())
    await waitFor(() => /^youworker\.1: .* has taken over/m.test(again.started.output()), {
      what: 'the restart',
      timeoutMs: 60_000,
    })
  }
  await using empty = await spawnSystem(data, ['--no-demo', '--single-process', '--reset'], { env: AT_ONCE })
  expect((await empty.root.get('/v1/documents')).body.total).toBe(0)
  expect(empty.started.output()).toContain('Erased the data')
}, 180_000)

test('root starts the system as an ordinary user', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('only root can start as another user; this run is by an ordinary user already')
  const as = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
  const [file, ...args] = [...as, process.execPath, '--version']
  await promisify(execFile)(file, args).catch((error: Error) => skip(`another user cannot use this checkout: ${error.message}`))
  const home = join(dir, 'home of nobody')
  await mkdir(home)
  await chown(home, NOBODY, NOBODY)
  const closed = join(home, 'closed.md')
  await writeFile(closed, '# Closed', { mode: 0 })
  const data = join(home, 'the data')
  const { code, output } = await runStart(
    ['--once', '--single-process', '--data', data, 'whales.html', closed, '--ask', 'How much krill does a blue whale eat a day?'],
    { env: { ...AT_ONCE, HOME: home }, cwd: files, as },
  )
  expect(output).toMatch(/four tonnes of krill[\s\S]*\nSources:\n\[1\] Whales\n/)
  expect(output).toContain('1 of 2 files failed: closed.md: may not be read by this user')
  expect(code).toBe(2)
  const readOnly = await runStart(['--no-demo', '--data', join(files, 'data')], { env: { HOME: home }, cwd: files, as })
  expect([readOnly.code, readOnly.output]).toEqual([
    1,
    expect.stringMatching(/my files may not be written by this user.*--data DIR/),
  ])
  expect((await stat(join(data, 'postgres'))).uid).toBe(NOBODY)
}, 120_000)

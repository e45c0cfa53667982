import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify, parseEnv } from 'node:util'
import { permissionsOf } from '@youworker/contracts/topology/permissions'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { readEnv } from '@youworker/runtime/process/config'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import type { z } from 'zod'
import { ROOT } from './support/root.ts'

const run = promisify(execFile)

interface ComposeService {
  readonly image?: string
  readonly build?: { readonly args: { readonly SERVICE: string } }
  readonly environment?: Readonly<Record<string, string>>
  readonly healthcheck?: unknown
  readonly depends_on?: Readonly<Record<string, unknown>>
}

const compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, ComposeService>
}
const dockerfile = await readFile(join(ROOT, 'infra/docker/Dockerfile'), 'utf8')
const youworker = (...args: string[]) => run(process.execPath, [join(ROOT, 'infra/cli/src/main.ts'), ...args])
const generated = parseEnv((await youworker('keys', 'generate')).stdout)

/** Substitutes variables as compose does: `${NAME:?}` is required, `${NAME:-default}` is optional. */
function substitute(value: string): string {
  return value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    const set = generated[name]
    if (set) return set
    if (kind === '-') return rest
    throw new Error(`${name} is required and \`keys generate\` does not print it`)
  })
}

const environmentOf = ({ environment = {} }: ComposeService) =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, substitute(String(value))]))

test('every service starts in production with the environment that compose gives it', async () => {
  for (const name of [...SERVICES, 'offline-model']) {
    const service = compose.services[name]
    if (!service) throw new Error(`docker-compose.yml has no ${name}`)
    expect(service.build?.args.SERVICE).toBe(name)
    const folder = name === 'offline-model' ? 'infra' : 'services'
    const { Env } = (await import(join(ROOT, folder, name, 'src/config.ts'))) as { Env: z.ZodObject }
    const config = readEnv(Env, { APP_ENV: 'production', HEALTH__PORT: '8080', ...environmentOf(service) })
    for (const setting of Object.keys(service.environment ?? {}))
      expect(Object.keys(Env.shape), `${name} reads ${setting}`).toContain(setting)
    expect(config['APP_ENV']).toBe('production')
  }
})

test('every image version is pinned, every container has a health check, and every depends_on names a service', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    if (service.image) expect(service.image).toMatch(/^[\w./-]+:\d+\.\d+/)
    expect(service.image ?? service.build, name).toBeDefined()
    if (service.image) expect(service.healthcheck, name).toBeDefined()
    for (const dependency of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services)).toContain(dependency)
  }
  expect(dockerfile.match(/^FROM .*$/gm)?.every((line) => /:\d+\.\d+\.\d+/.test(line))).toBe(true)
  expect(dockerfile).toMatch(/^USER node$/m)
  expect(dockerfile).toMatch(/^HEALTHCHECK /m)
  expect(dockerfile).not.toMatch(/^(ENV|ARG) .*(PASSWORD|SECRET|KEY)/m)
})

test('the committed nats.conf is the one generated from the contracts', async () => {
  const file = join(ROOT, 'infra/nats/nats.conf')
  await expect((await youworker('nats', 'conf')).stdout).toMatchFileSnapshot(file)
  const committed = await readFile(file, 'utf8')
  for (const service of SERVICES) {
    for (const subject of permissionsOf(service).publish.allow) expect(committed).toContain(`"${subject}"`)
    expect(compose.services['nats']?.environment).toHaveProperty(`NATS_PASSWORD_${service.replace('-', '_').toUpperCase()}`)
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

test('the commands of the Dockerfile install and start every service in a copy of the tree', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'youworker-image-'))
  try {
    const copied = Array.from(dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm), ([, sources = '']) => sources.split(' ')).flat()
    expect(copied).toContain('pnpm-lock.yaml')
    const ignored = /(^|\/)(node_modules|\.youworker|\.turbo)(\/|$)|\.test\.ts$/
    const filter = (path: string) => !ignored.test(relative(ROOT, path))
    await Promise.all(copied.map((path) => cp(join(ROOT, path), join(copy, path), { recursive: true, filter })))
    const pnpm = /npm install --global (\S+)/.exec(dockerfile)?.[1] ?? ''
    const install = /^RUN pnpm (install .*)$/m.exec(dockerfile)?.[1] ?? ''
    await run('npx', ['-y', pnpm, ...install.split(' '), '--prefer-offline'], { cwd: copy })
    for (const name of [...SERVICES, 'offline-model', 'cli']) {
      const folder = ['offline-model', 'cli'].includes(name) ? 'infra' : 'services'
      await rm(join(copy, 'run.ts'), { force: true })
      await symlink(`${folder}/${name}/src/main.ts`, join(copy, 'run.ts'))
      // All modules are imported before settings are read, so a package that the image lacks fails here.
      const started = run(process.execPath, ['run.ts'], {
        cwd: copy,
        env: { APP_ENV: 'production', API__PORT: 'none', OFFLINE_MODEL__PORT: 'none' },
      })
      await expect(started, name).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/Settings that are missing|Usage/),
      })
    }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}, 180_000)

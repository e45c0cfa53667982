import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startEmbeddingServer } from '@youworker/test-kit/models/embedding-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import type { Person } from '../support/person.ts'
import { ROOT } from '../support/root.ts'
import { spawnSystem } from '../support/spawned-system.ts'

const [OLD, NEW] = ['old-embed', 'new-embed']
const WORDS = ['heron', 'otter', 'badger', 'lynx', 'marmot', 'viper', 'stork', 'beaver']
const nameOf = (n: number) => `${WORDS[n % 8]}${WORDS[Math.floor(n / 8) % 8]}${WORDS[Math.floor(n / 64)]}`
const PASSAGES = 260
const TEXT = Array.from({ length: PASSAGES }, (_, n) => `## ${nameOf(n)}\n\nThe ${nameOf(n)} waits.\n`).join('\n')

const active = async (root: Person) =>
  (await root.get('/v1/admin/index')).body.generations?.find(({ state }: { state: string }) => state === 'active')

test('ingestions that embed everything again are killed: they go on, and no search comes back empty', async () => {
  await using stack = new AsyncDisposableStack()
  const models = stack.use(await startEmbeddingServer())
  models.put(OLD, { dimensions: 2_048 })
  const dir = await mkdtemp(join(tmpdir(), 'youworker generations '))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const start = (model: string) =>
    spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'ingestion=2'], {
      env: { LLM__OLLAMA_BASE_URL: models.url, LLM__EMBED_MODEL: model },
    })
  const first = await start(OLD)
  try {
    expect((await first.root.upload([{ name: 'animals.md', content: TEXT }])).body.success).toBe(true)
  } finally {
    await first.stop()
  }
  models.put(NEW, { dimensions: 1_536, delayMs: 1_200 })
  const system = stack.use(await start(NEW))
  const { root } = system
  let isDone = false
  stack.defer(() => void (isDone = true))
  let [right, empty]: [number, string[]] = [0, []]
  const searching = (async () => {
    for (let n = 0; !isDone; n += 1) {
      const name = nameOf(n % PASSAGES)
      const { status, body } = await root.post('/v1/search', { query: name, mode: n % 2 === 0 ? 'dense' : 'hybrid' })
      // While a process is killed a search may be refused.
      if (status !== 200) continue
      // Words may share a number of the model's vectors, so that the right passage is not always the first.
      if (body.results.some(({ title_path }: { title_path: string[] }) => title_path.includes(name))) right += 1
      else empty.push(`${name}: ${JSON.stringify(body).slice(0, 200)}`)
    }
  })()
  const embedded = () => models.embedded.get(NEW) ?? 0
  // The probe of the model and of how far it is to be trusted come first.
  await waitFor(() => embedded() > 64, { what: 'the first vectors' })
  for (const name of ['ingestion.1', 'ingestion.2']) {
    const { pid } = await system.process(name)
    await system.kill(name)
    await waitFor(async () => (await system.process(name).catch(() => ({ pid }))).pid !== pid, { what: `another ${name}` })
  }
  const { embed_model } = await waitFor(() => active(root), { what: 'an ingestion that answers' })
  expect(embed_model).toBe(OLD)
  await waitFor(async () => (await active(root))?.embed_model === NEW, { what: 'the switch', timeoutMs: 120_000 })
  const before = right
  await waitFor(() => right > before + 10, { what: 'searches in the new index' })
  isDone = true
  await searching
  expect(empty).toEqual([])
  // What was embedded before a kill was not embedded again, but for the batch under way; questions and tries come on top.
  expect(embedded()).toBeLessThan(2 * PASSAGES + right)
  const youworker = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(ROOT, 'infra/cli/src/main.ts'), 'index', ...args, '--data', system.dataDir])
  expect((await youworker('status')).stdout).toContain(`index 2 (embedded, ${NEW}): active`)
  expect((await youworker('check')).stdout).toContain('no difference')
  await expect(youworker('migrate', '--to', 'qdrant')).rejects.toMatchObject({
    stderr: expect.stringContaining('LLM__QDRANT_URL'),
  })
  await expect(youworker('migrate', '--cancel')).rejects.toMatchObject({
    stderr: expect.stringContaining('No index is being made'),
  })
}, 300_000)

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure } from './support/person.ts'
import { spawnSystem } from './support/spawned-system.ts'

const NOTE = { name: 'wool.md', content: '# Wool\n\nA sheep gives about three kilograms of wool a year.' }
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker full '))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const start = (env: Record<string, string> = {}) =>
  spawnSystem(join(dir, 'data'), ['--no-demo', '--single-process'], { env: { OFFLINE_MODEL__TOKENS_PER_SECOND: '0', ...env } })

test('below DISK__REFUSE_BELOW_MB uploads get 507 and all else goes on; health says so and stays ready', async () => {
  {
    await using usual = await start()
    expect((await usual.root.upload([NOTE])).body.success).toBe(true)
    expect((await usual.root.get('/health/detailed')).body.components.ingestion.dependencies.disk.status).not.toBe('down')
  }
  await using full = await start({ DISK__REFUSE_BELOW_MB: '1000000000' })
  const { root } = full
  const { status, headers, body } = await root.upload([{ ...NOTE, name: 'more.md' }])
  expect(status).toBe(507)
  expect(body).toMatchObject(failure('INSUFFICIENT_STORAGE'))
  expect(body.error.message).toMatch(/\d+ MB are free, and 1000000000 MB are kept\. Ask whoever runs it to make room/)
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)

  expect((await root.get('/health/ready')).status).toBe(200)
  expect((await root.get('/health/detailed')).body).toMatchObject({
    status: 'degraded',
    components: { ingestion: { status: 'degraded', dependencies: { disk: { status: 'degraded' } } } },
  })
  const { processes } = await full.endpoints()
  const health = processes.find(({ name }) => name === 'youworker.1')?.health_url
  expect(await (await fetch(new URL('/metrics', health))).text()).toMatch(/^disk_free_bytes\{folder=".*index"\} \d+/m)

  expect((await root.chat('How much wool does a sheep give a year?')).done.content).toContain('three kilograms')
  const [document] = (await root.get('/v1/documents')).body.documents
  expect((await root.get(`/v1/documents/${document.id}/content`)).body).toBe(NOTE.content)
  expect((await root.call('DELETE', `/v1/documents/${document.id}`)).status).toBeLessThan(300)
  expect((await root.post('/v1/search', { query: 'wool' })).body.results).toEqual([])
}, 240_000)

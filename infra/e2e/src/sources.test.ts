import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startWebSite, type TestSite } from '@youworker/test-kit/web-site'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let site: TestSite
let folder: string
let ada: Person

beforeAll(async () => {
  site = await startWebSite({
    '/': '<h1>Harbour rules</h1><p>Ships over 90 metres need a pilot.</p><a href="/fees">fees</a>',
    '/fees': '<h1>Fees</h1><p>A berth costs 40 crowns a night.</p>',
  })
  folder = await mkdtemp(join(tmpdir(), 'youworker-upload-root-'))
  await writeFile(join(folder, 'tides.md'), '# Tides\n\nThe neap tide is on the ninth.')
  system = await startTestSystem({ env: { FETCH__ALLOW: `127.0.0.1:${site.port}`, INGEST__UPLOAD_ROOT: folder } })
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

test('a site is ingested by its URL, and answers questions with its pages as sources', async () => {
  const ingested = await ada.post('/v1/ingest', { path_or_url: site.origin, from_web: true, recursive: true, tags: ['harbour'] })
  expect(ingested).toMatchObject({ status: 200, body: { success: true, files_processed: 2, errors: [] } })
  expect(ingested.body.files.map(({ uri }: { uri: string }) => uri)).toEqual([`${site.origin}/`, `${site.origin}/fees`])
  const { body: list } = await ada.get('/v1/documents?tag=harbour')
  expect(list.documents.map(({ source }: { source: string }) => source)).toEqual(['web', 'web'])
  const { done } = await ada.chat('What does a berth cost a night?')
  expect(done.citations[0]).toMatchObject({ uri: `${site.origin}/fees`, title: 'Fees' })
})

test('without waiting the answer is the run, whose progress can be followed; the old path works too', async () => {
  const begun = await ada.post('/v1/ingest/path', { path_or_url: `${site.origin}/fees`, wait: false })
  expect(begun.status).toBe(202)
  const run = await waitFor(
    async () => {
      const { body } = await ada.get(begun.headers.get('location') ?? '')
      return body.finished_at === null ? undefined : body
    },
    { what: 'the end of the run' },
  )
  expect(run).toMatchObject({ status: 'success', files_processed: 1 })
})

test('what may not be fetched is refused with a reason and begins no run', async () => {
  const before = (await ada.get('/v1/ingestion-runs')).body.total
  const gateway = new URL(system.api)
  for (const url of [
    `${system.api}/v1/admin/users`,
    `http://localhost:${gateway.port}/`,
    'http://169.254.169.254/latest/meta-data/',
  ]) {
    const refused = await ada.post('/v1/ingest', { path_or_url: url })
    expect([url, refused.status, refused.body.error.code]).toEqual([url, 400, 'VALIDATION_ERROR'])
    expect(refused.body.error.message).toContain('FETCH__ALLOW')
  }
  for (const body of [{}, { path_or_url: '' }, { path_or_url: 7 }, { path_or_url: `${site.origin}/`, max_pages: 1e9 }]) {
    expect((await ada.post('/v1/ingest', body)).status).toBe(400)
  }
  expect((await ada.get('/v1/ingestion-runs')).body.total).toBe(before)
})

test('a path of the server is open to root alone, and both answers are audited', async () => {
  const denied = await ada.post('/v1/ingest/path', { path_or_url: 'tides.md' })
  expect(denied).toMatchObject({ status: 403, body: { error: { code: 'NOT_AUTHORIZED' } } })
  expect((await system.root.post('/v1/ingest', { path_or_url: '/etc/hostname' })).status).toBe(400)
  const ingested = await system.root.post('/v1/ingest', { path_or_url: 'tides.md' })
  expect(ingested.body).toMatchObject({ success: true, files: [{ path: 'tides.md', uri: 'path://tides.md' }] })
  const outcomes = await waitFor(
    async () => {
      const { body } = await system.root.get('/v1/admin/audit?action=run.start-from-path')
      return body.entries.length >= 2 ? body.entries.map(({ outcome }: { outcome: string }) => outcome) : undefined
    },
    { what: 'both entries of the audit trail' },
  )
  expect(outcomes).toEqual(['allowed', 'denied'])
})

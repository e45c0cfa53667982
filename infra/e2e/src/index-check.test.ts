import { execFile } from 'node:child_process'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure } from './support/person.ts'
import { ROOT } from './support/root.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const CLI = join(ROOT, 'infra/cli/src/main.ts')
let system: TestSystem
let database: pg.Client
beforeAll(async () => {
  system = await startTestSystem()
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
}, 120_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

function check(...options: string[]): Promise<{ code: number; lines: string[] }> {
  const args = [CLI, 'index', 'check', ...options, '--api', system.api]
  const env = { ...process.env, SECURITY__ROOT_API_KEY: system.root.key }
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, lines: `${stdout}${stderr}`.trim().split('\n') })
    })
  })
}

test('youworker index check tells what differs, repairs it, and finds nothing then; users may not ask', async () => {
  const ada = await system.newPerson('ada')
  const text = '# Harbour\n\nThe lamp burns all night.\n\n## Boats\n\nThe boats are blue.\n'
  await ada.upload([{ name: 'harbour.md', content: text }])
  const sound = '1 spaces with 1 documents and 2 chunks were compared: no difference.'
  expect(await check()).toEqual({ code: 0, lines: [sound] })
  await database.query('delete from ingestion.embeddings where ctid = (select ctid from ingestion.embeddings limit 1)')
  await database.query(`insert into ingestion.embeddings (space_id, model, text_hash, vector)
    select space_id, model, 'planted', vector from ingestion.embeddings limit 1`)
  const found = await check()
  expect(found).toMatchObject({ code: 1, lines: { length: 3 } })
  expect(found.lines).toEqual(expect.arrayContaining([`space ${ada.id}: 1 missing vectors`, `space ${ada.id}: 1 orphan vectors`]))
  expect(found.lines.at(-1)).toContain('index check --repair')
  expect(await check('--repair')).toMatchObject({ code: 0, lines: { length: 3, 2: expect.stringContaining('all repaired') } })
  expect(await check()).toEqual({ code: 0, lines: [sound] })
  for (const mode of ['dense', 'lexical'])
    expect((await ada.post('/v1/search', { query: 'the lamp burns', mode })).body.results[0].text).toContain('lamp')
  expect((await ada.post('/v1/admin/index/check', {})).body).toMatchObject(failure('NOT_AUTHORIZED'))
}, 60_000)

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from '../support/person.ts'
import { type SpawnedSystem, spawnSystem } from '../support/spawned-system.ts'

let dir: string
let system: SpawnedSystem
let root: Person

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker killer files '))
  system = await spawnSystem(join(dir, 'data'), ['--no-demo'])
  root = system.root
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Takes some seconds to read, and is a good file. */
const slow = (words: string) => `<html><body><h1>Slow</h1><p>${words}</p>${'<p><b></b></p>'.repeat(200_000)}</body></html>`
/** Fills the heap of the process that reads it. */
const KILLER = '['.repeat(3_000_000)

async function begin(files: { name: string; content: string }[]): Promise<string> {
  const { status, body } = await root.upload(files, { wait: 'false' })
  expect(status, JSON.stringify(body)).toBe(202)
  return body.run_id
}
const run = async (id: string) => (await root.get(`/v1/ingestion-runs/${id}`)).body
/** Waits through the time in which nobody serves ingestion. */
const ended = (id: string) =>
  waitFor(
    async () => {
      const body = await run(id)
      return typeof body.finished_at === 'string' ? body : undefined
    },
    { what: 'the end', timeoutMs: 300_000 },
  )
const tries = async (id: string) =>
  (
    await system.sql<{ tries: number }>(
      'select read_tries + reader_deaths as tries from ingestion.run_files where run_id = $1 order by index',
      [id],
    )
  ).map(({ tries: count }) => count)
/** The given attempt reads the first file. */
const reading = (id: string, attempt: number, counted: number) =>
  waitFor(async () => (await run(id)).attempt === attempt && (await tries(id))[0] === counted, {
    what: `attempt ${attempt} with ${counted} tries`,
    timeoutMs: 300_000,
  })

test('a file that kills its reader is tried twice, then fails for good with the reason; the others of its run go on', async () => {
  const id = await begin([
    { name: 'killer.md', content: KILLER },
    { name: 'good.md', content: '# Good\n\nHerons nest in high trees.' },
  ])
  const after = await ended(id)
  expect(after).toMatchObject({ status: 'partial', attempt: 1 })
  const [killer, good] = after.files
  expect(killer).toMatchObject({ status: 'failed', error: expect.stringMatching(/after 2 tries: reading it took/) })
  expect(after.errors[0]).toBe(`killer.md: ${killer.error}`)
  expect((await root.get(`/v1/tasks/${id}`)).body.error).toMatch(/killer\.md.*after 2 tries/)
  expect(good.status).toBe('success')
  expect(await tries(id)).toEqual([2, 0])
}, 400_000)

test('a file during whose reading the service died four times is not tried a fifth time', async () => {
  const id = await begin([{ name: 'taker.html', content: slow('The crane dances.') }])
  for (const attempt of [1, 2, 3, 4]) {
    await reading(id, attempt, attempt)
    await system.kill('ingestion.1')
  }
  const after = await ended(id)
  expect(after).toMatchObject({ status: 'failed', attempt: 5 })
  expect(after.files[0].error).toMatch(/what reads it ended each time/)
  expect(await tries(id)).toEqual([4])

  // Its user may have it tried again, which counts from the start.
  expect((await root.post(`/v1/ingestion-runs/${id}/retry`)).status).toBe(200)
  expect(await ended(id)).toMatchObject({ status: 'success' })
  expect(await tries(id)).toEqual([0])
}, 400_000)

test('an operator who restarts the service again and again while a good file is read does not make it fail', async () => {
  const id = await begin([{ name: 'patient.html', content: slow('The stork claps.') }])
  for (const attempt of [1, 2]) {
    await reading(id, attempt, 1)
    await system.kill('ingestion.1', 'SIGTERM')
  }
  expect(await ended(id)).toMatchObject({ status: 'success', attempt: 3 })
  expect(await tries(id)).toEqual([0])
}, 400_000)

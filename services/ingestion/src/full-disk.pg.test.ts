import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, testUser } from './test-fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

const refused = { code: 'INSUFFICIENT_STORAGE', message: expect.stringMatching(/50 MB are free/) }
/** What was read of the disk counts for a second. */
const untilSeen = (free: number) => {
  fixture.setFreeMb(free)
  return new Promise((resolve) => setTimeout(resolve, 1_100))
}

test('with the disk nearly full uploads and new runs are refused; reading, searching and deleting go on', async () => {
  const user = testUser()
  await fixture.ingest(user, { 'kept.md': '# Kept\n\nThe lighthouse was built of granite.' })
  const unused = await fixture.upload(user, 'some text', { name: 'late.md' })
  await untilSeen(50)
  await expect(fixture.upload(user, 'more', { name: 'more.md' })).rejects.toMatchObject(refused)
  const start = { files: [{ blob_id: unused, name: 'late.md' }], tags: [], is_private: false }
  await expect(fixture.starter.start(start, user)).rejects.toMatchObject(refused)
  const [hit] = await fixture.find(user, 'lighthouse granite')
  expect(hit?.title).toBe('Kept')
  await fixture.deletion.delete({ purge: true, document_id: hit?.document_id ?? '' }, user)
  expect(await fixture.find(user, 'lighthouse granite')).toEqual([])
  await untilSeen(10_000)
  const { run_id } = await fixture.starter.start(start, user)
  expect((await fixture.settled(user, run_id)).status).toBe('success')
})

test('a run that is taken when the disk is full waits, says why, can be cancelled, and goes on when there is room', async () => {
  // Runs are started here, and another process takes them later.
  await using idle = await startFixture({ worker: false })
  const user = testUser()
  const start = async (name: string) => {
    const blob_id = await idle.upload(user, `# ${name}\n\nText of ${name}.`, { name })
    return (await idle.starter.start({ files: [{ blob_id, name }], tags: [], is_private: false }, user)).run_id
  }
  const [cancelled, patient] = [await start('one.md'), await start('two.md')]
  idle.setFreeMb(50)
  idle.newProcess(true)
  const saysWhy = (run_id: string) =>
    waitFor(
      async () => {
        const run = await idle.runs.get({ run_id }, user)
        return run.files[0]?.error !== undefined && run
      },
      { what: 'a run that says why it waits' },
    )
  // Both have the space of one user, so the second is taken after the first.
  expect(await saysWhy(cancelled)).toMatchObject({ status: 'running', files: [{ error: refused.message }] })
  await idle.runs.cancel({ run_id: cancelled }, user)
  expect((await idle.settled(user, cancelled)).status).toBe('cancelled')
  expect(await saysWhy(patient)).toMatchObject({ status: 'running', attempt: 1, files: [{ error: refused.message }] })
  idle.setFreeMb(10_000)
  const run = await idle.settled(user, patient)
  expect(run).toMatchObject({ status: 'success', attempt: 1, errors: [] })
  expect(run.files[0]?.error).toBeUndefined()
})

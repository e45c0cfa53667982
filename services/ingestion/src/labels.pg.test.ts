import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const page = { limit: 50, offset: 0 }
const note = (n: number | string) => `# Note ${n}\n\nThe heron waits at the weir number ${n}.\n`

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const tagsOf = async (user: TestUser, group_id?: string) =>
  Object.fromEntries(
    (await fixture.labels.listTags({ ...page, group_id }, user)).tags.map(({ name, document_count }) => [name, document_count]),
  )
const idOf = async (user: TestUser, name: string) =>
  (await fixture.labels.listTags(page, user)).tags.find((tag) => tag.name === name)?.id ?? ''
const found = async (user: TestUser, tags: string[]) => (await fixture.find(user, 'heron weir', { tags, top_k: 50 })).length
const ended = (user: TestUser, task_id: string | undefined) =>
  waitFor(
    async () => {
      const task = await fixture.runs.getTask({ task_id: task_id ?? '' }, user)
      return ['success', 'failed', 'cancelled'].includes(task.state) ? task : undefined
    },
    { what: 'the task' },
  )

test('tags of documents are rows with counts; renamed, merged and deleted ones change in documents, lists and search', async () => {
  const user = testUser()
  const files = Object.fromEntries(Array.from({ length: 3 }, (_, n) => [`${n}.md`, note(n)]))
  await fixture.ingest(user, files, { tags: ['river', 'birds'] })
  const lone = (await fixture.ingest(user, { 'lone.md': note('x') }, { tags: ['birds'] })).files[0]?.document_id ?? ''
  expect(await tagsOf(user)).toEqual({ river: 3, birds: 4 })
  await fixture.deletion.delete({ document_id: lone }, user)
  expect(await tagsOf(user)).toEqual({ river: 3, birds: 3 })

  const river = await idOf(user, 'river')
  const renamed = await fixture.labels.renameTag({ tag_id: river, name: 'streams' }, user)
  expect(renamed).toMatchObject({ id: river, name: 'streams' })
  expect(await ended(user, renamed.task_id)).toMatchObject({
    type: 'labels',
    state: 'success',
    progress: { current: 3, total: 3 },
  })
  expect(await tagsOf(user)).toEqual({ streams: 3, birds: 3 })
  expect([await found(user, ['river']), await found(user, ['streams'])]).toEqual([0, 3])
  expect((await fixture.runs.listTasks(page, user)).tasks.map(({ id }) => id)).toContain(renamed.task_id)
  await expect(fixture.labels.renameTag({ tag_id: river, name: 'birds' }, user)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect(await fixture.labels.renameTag({ tag_id: river, name: 'streams' }, user)).not.toHaveProperty('task_id')

  const birds = await idOf(user, 'birds')
  const merged = await fixture.labels.mergeTags({ tag_id: river, into: birds }, user)
  expect(merged).toMatchObject({ id: birds, name: 'birds' })
  await ended(user, merged.task_id)
  expect(await tagsOf(user)).toEqual({ birds: 3 })
  const { documents } = await fixture.documents.list(page, user)
  expect(documents.map(({ tags }) => tags)).toEqual([['birds'], ['birds'], ['birds']])

  const deleted = await fixture.labels.deleteTag({ tag_id: birds }, user)
  await ended(user, deleted.task_id)
  expect(await tagsOf(user)).toEqual({})
  expect(await found(user, ['birds'])).toBe(0)
  // What was deleted meanwhile lost it too, and brings nothing back.
  expect(await fixture.deletion.restore({ document_id: lone }, user)).toMatchObject({ tags: [] })
})

test('a change that is begun is finished by another process, and a cancelled one leaves the label to the rest', async () => {
  await using other = await startFixture({ worker: false })
  const user = testUser()
  await other.uow.in([user.id]).write(({ labels }) => labels.note('tags', user.id, ['slow']))
  const [tag] = (await other.labels.listTags(page, user)).tags
  const { task_id } = await other.labels.renameTag({ tag_id: tag?.id ?? '', name: 'fast' }, user)
  expect(await other.runs.getTask({ task_id: task_id ?? '' }, user)).toMatchObject({ state: 'pending', type: 'labels' })
  expect(await other.runs.cancelTask({ task_id: task_id ?? '' }, user)).toMatchObject({ state: 'cancelled' })
  const stranger = testUser()
  await expect(other.runs.getTask({ task_id: task_id ?? '' }, stranger)).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' })
  const next = await other.labels.deleteTag({ tag_id: tag?.id ?? '' }, user)
  other.newProcess(true)
  await waitFor(async () => (await other.runs.getTask({ task_id: next.task_id ?? '' }, user)).state === 'success', {
    what: 'the other process',
  })
}, 60_000)

test('in a group its admins change tags and collections, members read them, strangers find none', async () => {
  const [admin, member, stranger] = [testUser(), testUser(), testUser()]
  const group_id = newId()
  fixture.groups.set(group_id, new Set([admin.id, member.id]))
  fixture.admins.add(`${group_id}/${admin.id}`)
  await fixture.ingest(member, { 'a.md': note(1) }, { group_id, tags: ['shared'], collection: 'shelf' })
  await fixture.ingest(stranger, { 'a.md': note(2) }, { tags: ['shared'], collection: 'shelf' })
  for (const user of [admin, member]) expect(await tagsOf(user, group_id)).toEqual({ shared: 1 })
  const tag_id = await idOf(admin, 'shared')
  const [shelf] = (await fixture.labels.listCollections({ ...page, group_id }, member)).collections
  expect(shelf).toMatchObject({ name: 'shelf', group_id, document_count: 1, total_bytes: note(1).length })
  const attempts = (user: TestUser) => [
    () => fixture.labels.renameTag({ tag_id, name: 'x' }, user),
    () => fixture.labels.deleteTag({ tag_id }, user),
    () => fixture.labels.deleteCollection({ collection_id: shelf?.id ?? '' }, user),
  ]
  for (const attempt of attempts(member)) await expect(attempt()).rejects.toMatchObject({ code: 'NOT_GROUP_ADMIN' })
  const codes = ['TAG_NOT_FOUND', 'TAG_NOT_FOUND', 'COLLECTION_NOT_FOUND']
  for (const [at, attempt] of attempts(stranger).entries()) await expect(attempt()).rejects.toMatchObject({ code: codes[at] })
  const theirs = await idOf(stranger, 'shared')
  await expect(fixture.labels.mergeTags({ tag_id, into: theirs }, admin)).rejects.toMatchObject({ code: 'TAG_NOT_FOUND' })

  const { task_id } = await fixture.labels.deleteCollection({ collection_id: shelf?.id ?? '' }, admin)
  await ended(admin, task_id)
  const { documents } = await fixture.documents.list({ ...page, group_id }, member)
  expect(documents).toMatchObject([{ collection: null, tags: ['shared'] }])
  expect((await fixture.labels.listCollections(page, stranger)).collections).toMatchObject([{ name: 'shelf', document_count: 1 }])
})

test('a collection can be there before its documents; made again it is the same, and in a foreign group there is none', async () => {
  const user = testUser()
  const made = await fixture.labels.createCollection({ name: 'Plans' }, user)
  expect(made).toMatchObject({ name: 'Plans', group_id: null, document_count: 0, total_bytes: 0 })
  expect(await fixture.labels.createCollection({ name: 'Plans' }, user)).toEqual(made)
  await fixture.ingest(user, { 'a.md': note(1) }, { collection: 'Plans' })
  expect((await fixture.labels.listCollections(page, user)).collections).toMatchObject([{ id: made.id, document_count: 1 }])
  const foreign = fixture.labels.createCollection({ name: 'x', group_id: newId() }, user)
  await expect(foreign).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
})

import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let database: pg.Client
let admin: Person
let member: Person
let other: Person
let group_id: string

/** `admin` has made the group; `member` and `other` are members. */
beforeAll(async () => {
  system = await startTestSystem()
  ;[admin, member, other] = [await system.newPerson('ada'), await system.newPerson('bob'), await system.newPerson('cid')]
  group_id = (await admin.post('/v1/groups', { name: 'Shelf' })).body.id
  for (const username of ['bob', 'cid']) await admin.post(`/v1/groups/${group_id}/members`, { username })
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
}, 120_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

const shelve = (who: Person, name: string, content: string, fields: Record<string, string> = {}) =>
  who.upload([{ name, content }], { wait: 'true', group_id, ...fields })
const bring = async (who: Person, name: string, content = `# ${name}\n\nBrought to the shelf.`): Promise<string> => {
  const { body } = await shelve(who, name, content)
  expect(body).toMatchObject({ success: true })
  return body.files[0].document_id
}
const remove = (who: Person, id: string) => who.call('DELETE', `/v1/documents/${id}`)
const setRole = (person: Person, role: string) => admin.call('PATCH', `/v1/groups/${group_id}/members/${person.id}`, { role })
const notAdmin = failure('NOT_GROUP_ADMIN')
const audited = async (action: string, id: string) => {
  const { rows } = await database.query(
    'select actor_id, outcome from auth.audit_entries where action = $1 and target_id = $2 order by id',
    [action, id],
  )
  return rows.map(({ actor_id, outcome }) => `${actor_id} ${outcome}`)
}

test('a member deletes what he brought, and nobody else’s; an admin deletes everything; both are audited', async () => {
  const [own, theirs] = [await bring(member, 'own.md'), await bring(other, 'theirs.md')]
  const refused = await remove(member, theirs)
  expect(refused.status).toBe(403)
  expect(refused.body).toMatchObject(notAdmin)
  expect(refused.body.error.message).toMatch(/brought.*admin/)
  expect((await other.get(`/v1/documents/${theirs}`)).status).toBe(200)
  expect((await other.post('/v1/search', { query: 'brought to the shelf theirs' })).body.results[0]).toMatchObject({
    document_id: theirs,
  })
  expect((await remove(member, own)).status).toBe(204)
  expect((await remove(admin, theirs)).status).toBe(204)
  await waitFor(async () => (await audited('document.delete', theirs)).length === 2, { what: 'two audit entries' })
  expect(await audited('document.delete', theirs)).toEqual([`${member.id} denied`, `${admin.id} allowed`])
  expect(await audited('document.delete', own)).toEqual([`${member.id} allowed`])
})

test('a role counts at once, both ways', async () => {
  const [first, second] = [await bring(other, 'first.md'), await bring(other, 'second.md')]
  expect((await remove(member, first)).status).toBe(403)
  await setRole(member, 'admin')
  expect((await remove(member, first)).status).toBe(204)
  await setRole(member, 'member')
  expect((await remove(member, second)).status).toBe(403)
})

test('nobody else’s document is replaced or relabelled by an upload of the same name; an admin’s upload makes it the admin’s', async () => {
  const content = '# Rules\n\nThe canteen opens at noon.'
  const id = await bring(other, 'rules.md', content)
  const attempts = [
    await shelve(member, 'rules.md', '# Rules\n\nThe canteen is closed for ever.'),
    await shelve(member, '/rules.md', content, { tags: '["hidden"]', collection: 'attic' }),
  ]
  for (const { status, body } of attempts) {
    expect([status, body.success]).toEqual([200, false])
    expect(body.files[0]).toMatchObject({ status: 'failed', error: expect.stringMatching(/brought.*admin/) })
  }
  expect((await other.get(`/v1/documents/${id}`)).body).toMatchObject({ tags: [], collection: null })
  expect(await (await other.fetch(`/v1/documents/${id}/content`)).text()).toBe(content)
  await waitFor(async () => (await audited('document.replace', id)).length === 2, { what: 'two audit entries' })
  expect(await audited('document.replace', id)).toEqual([`${member.id} denied`, `${member.id} denied`])

  expect(await bring(other, 'rules.md', '# Rules\n\nThe canteen opens at one.')).toBe(id)
  expect(await bring(admin, 'rules.md', '# Rules\n\nThe canteen opens at two.')).toBe(id)
  expect((await remove(other, id)).body).toMatchObject(notAdmin)
  expect((await remove(admin, id)).status).toBe(204)
})

test('who has left the group finds nothing to delete, not even what he brought; it is the admin’s then', async () => {
  const guest = await system.newPerson('dot')
  await admin.post(`/v1/groups/${group_id}/members`, { username: 'dot' })
  await waitFor(async () => (await guest.get(`/v1/documents?group_id=${group_id}`)).status === 200, { what: 'the membership' })
  const id = await bring(guest, 'guest.md')
  await guest.call('DELETE', `/v1/groups/${group_id}/members/${guest.id}`)
  expect((await remove(guest, id)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect((await remove(await system.newPerson('eve'), id)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect((await remove(member, id)).status).toBe(403)
  expect((await remove(admin, id)).status).toBe(204)
})

test('while the group service is away nothing of a group is deleted, and one’s own documents are', async () => {
  const [shared, own] = [
    await bring(member, 'waits.md'),
    (await member.upload([{ name: 'own.md', content: '# Own\n\nMine.' }])).body,
  ]
  // Its spaces are known from here on.
  expect((await member.get(`/v1/documents/${shared}`)).status).toBe(200)
  await system.running.services.group.stop()
  const refused = await remove(member, shared)
  expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true])
  expect((await remove(member, own.files[0].document_id)).status).toBe(204)
  await system.running.services.group.start()
  await waitFor(async () => (await member.get(`/v1/documents/${shared}`)).status === 200, { what: 'the document' })
  await waitFor(async () => (await remove(member, shared)).status === 204, { what: 'its deletion' })
})

test('the policy of the group says who changes its documents, at once: owners and admins, only admins, or every member', async () => {
  const policy = `/v1/groups/${group_id}/policy`
  const set = (document_changes: string, who = admin) => who.call('PUT', policy, { document_changes })
  const patch = (who: Person, id: string, body: Record<string, unknown>) => who.call('PATCH', `/v1/documents/${id}`, body)
  const inTrash = async (who: Person, id: string): Promise<boolean> => {
    const { documents } = (await who.get(`/v1/documents?group_id=${group_id}&include_deleted=true&limit=100`)).body
    return documents.some((each: { id: string; deleted_at?: string }) => each.id === id && each.deleted_at !== undefined)
  }
  /** Every way to change a document, in the end one that is erased. */
  const outcome = async (who: Person, content: string) => {
    const id = await bring(other, 'policy.md', content)
    const moves = [
      (await patch(who, id, { title: 'Changed' })).status,
      (await patch(who, id, { tags: ['marked'] })).status,
      (await patch(who, id, { collection: 'attic' })).status,
      (await shelve(who, 'policy.md', content, { tags: '["again"]' })).body.files[0].status,
      (await shelve(who, 'policy.md', `# Policy\n\n${crypto.randomUUID()}`)).body.files[0].status,
      (await remove(who, id)).status,
    ]
    if (moves.at(-1) !== 204) await remove(admin, id)
    const later = [
      await inTrash(who, id),
      (await who.post(`/v1/documents/${id}/restore`)).status,
      (await who.call('DELETE', `/v1/documents/${id}?purge=true`)).status,
    ]
    await admin.call('DELETE', `/v1/documents/${id}?purge=true`)
    return [...moves, ...later]
  }
  const all = [200, 200, 200, 'success', 'success', 204, true, 200, 204]
  const none = [403, 403, 403, 'failed', 'failed', 403, false, 403, 403]
  const text = () => `# Policy\n\n${crypto.randomUUID()}`
  expect((await member.get(policy)).body).toEqual({ document_changes: 'owners_and_admins' })
  expect((await set('members', member)).body).toMatchObject(notAdmin)
  expect((await set('everybody')).body).toMatchObject(failure('VALIDATION_ERROR'))
  const roles = async () => [await outcome(other, text()), await outcome(member, text()), await outcome(admin, text())]
  expect(await roles()).toEqual([all, none, all])

  const kept = await bring(other, 'kept.md')
  expect((await set('admins')).body).toEqual({ document_changes: 'admins' })
  const refused = await remove(other, kept)
  expect(refused.body.error.message).toMatch(/^Only the admins of the group/)
  // Not even out of the group.
  expect((await patch(other, kept, { is_private: true })).status).toBe(403)
  // An upload of something new is no change.
  expect((await shelve(other, 'new.md', text())).body).toMatchObject({ success: true })
  expect([await patch(admin, kept, { title: 'Kept' }), await remove(admin, kept)].map(({ status }) => status)).toEqual([200, 204])

  expect((await set('members')).status).toBe(200)
  expect(await roles()).toEqual([all, all, all])
  const theirs = await bring(other, 'theirs.md')
  // Changing is not taking: it stays with the group.
  expect((await patch(member, theirs, { is_private: true })).body).toMatchObject(failure('NOT_AUTHORIZED'))
  expect((await member.get(policy)).body).toEqual({ document_changes: 'members' })
  await waitFor(async () => (await audited('group.policy', group_id)).length === 3, { what: 'three audit entries' })
  expect(await audited('group.policy', group_id)).toEqual([`${member.id} denied`, `${admin.id} allowed`, `${admin.id} allowed`])
  await set('owners_and_admins')
})

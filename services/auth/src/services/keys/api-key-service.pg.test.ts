import { testCallContext, testCaller } from '@youworker/messaging/requests/test-context'
import { newId } from '@youworker/runtime/id'
import { newApiKey, sha256Hex } from '@youworker/runtime/secret'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestAuth, type TestAuth } from '../../test-fixture.ts'

let fixture: TestAuth
beforeAll(async () => void (fixture = await openTestAuth()), 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

async function newUser(username: string, more: { is_root?: boolean; password?: string } = {}) {
  const { id, api_key } = await fixture.accounts.create({ username, ...more }, await fixture.root(), testCallContext())
  return { id, api_key }
}
const exchange = (key: string) => fixture.credentials.exchange('api_key', key)
const works = (key: string) =>
  exchange(key).then(
    () => true,
    () => false,
  )
const contextOf = async (key: string) => {
  const { user, sid, access_token } = await exchange(key)
  const { root, scopes } = decodeJwt(access_token)
  return { ...testCallContext(), caller: testCaller(user.id, { sid, is_root: root === true, scopes: scopes as string[] }) }
}
async function rotate(key: string) {
  const api_key = newApiKey()
  const { id } = await fixture.apiKeys.rotate(sha256Hex(api_key), await contextOf(key))
  return { id, api_key }
}
async function create(owner: string, input: object) {
  const api_key = newApiKey()
  const made = await fixture.apiKeys.create(
    { name: 'more', ...input, api_key_sha256: sha256Hex(api_key) },
    await contextOf(owner),
  )
  return { ...made, api_key }
}
const revocations = async () => (await fixture.revocations.list()).map(({ sid, sub }) => sid ?? sub)

test('without an answer the old key works on; the first use of the new one ends it', async () => {
  const ada = await newUser('ada')
  const { sid } = await exchange(ada.api_key)
  const lost = await rotate(ada.api_key)
  expect(await works(ada.api_key)).toBe(true)
  expect(await works(lost.api_key)).toBe(true)
  expect(await works(ada.api_key)).toBe(false)
  expect(await revocations()).toContain(sid)

  const next = await rotate(lost.api_key)
  const secret = await fixture.signIn.withApiKey(next.api_key, testCallContext())
  expect(secret.user.username).toBe('ada')
  expect(await works(lost.api_key)).toBe(false)
  expect(await works(next.api_key)).toBe(true)
})

test('two rotations at the same time leave two keys that work, and the old one ends', async () => {
  const bob = await newUser('bob')
  const made = await Promise.all([rotate(bob.api_key), rotate(bob.api_key)])
  for (const { id } of made) await fixture.apiKeys.finishRotation({ id, user_id: bob.id })
  expect(await Promise.all([bob.api_key, ...made.map(({ api_key }) => api_key)].map(works))).toEqual([false, true, true])
})

test('a later rotation revokes successors that nobody has', async () => {
  const cleo = await newUser('cleo')
  const lost = await rotate(cleo.api_key)
  const old = new Date(Date.now() - 120_000).toISOString()
  await fixture.db.updateTable('api_keys').set({ created_at: old }).where('id', '=', lost.id).execute()
  const found = await rotate(cleo.api_key)
  await fixture.apiKeys.finishRotation({ id: found.id, user_id: cleo.id })
  expect(await Promise.all([cleo.api_key, lost.api_key, found.api_key].map(works))).toEqual([false, false, true])
})

test('a key whose answer was lost ends by itself once another one has replaced the old key, and not before', async () => {
  const dan = await newUser('dan')
  const lost = await rotate(dan.api_key)
  const live = async () => {
    await fixture.sweeper.sweep()
    return (await fixture.apiKeys.list({ limit: 10, offset: 0 }, testCaller(dan.id))).api_keys.map(({ id }) => id)
  }
  const found = await rotate(dan.api_key)
  const old = new Date(Date.now() - 120_000).toISOString()
  await fixture.db.updateTable('api_keys').set({ created_at: old }).where('id', '=', lost.id).execute()
  // Its owner may have it and not the later one.
  expect(await live()).toHaveLength(3)
  await fixture.apiKeys.finishRotation({ id: found.id, user_id: dan.id })
  expect(await live()).toEqual([found.id])
  expect(await works(found.api_key)).toBe(true)
})

test('only the owner finishes a rotation', async () => {
  const dora = await newUser('dora')
  const { id } = await rotate(dora.api_key)
  await fixture.apiKeys.finishRotation({ id, user_id: (await newUser('mallory')).id })
  expect(await works(dora.api_key)).toBe(true)
})

test('a token has the scopes of its key; a limited key of root does not act as root', async () => {
  const boss = await newUser('boss', { is_root: true })
  const rightsOf = async (key: string) => {
    const { root, scopes } = decodeJwt((await exchange(key)).access_token)
    return { root, scopes }
  }
  expect(await rightsOf(boss.api_key)).toEqual({ root: true, scopes: ['*'] })
  const limited = await create(boss.api_key, { scopes: ['chat', 'ops', 'chat'] })
  expect(limited.scopes).toEqual(['chat', 'ops'])
  expect(await rightsOf(limited.api_key)).toEqual({ root: false, scopes: ['chat', 'ops'] })
  await fixture.accountAdmin.update(boss.id, { is_root: false }, { ...testCallContext(), caller: await fixture.root() })
  expect(await rightsOf(limited.api_key)).toEqual({ root: false, scopes: ['chat'] })
  const user = await newUser('user')
  await expect(create(user.api_key, { scopes: ['ops'] })).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
})

test('sessions and runs of a limited key have its scopes, and end with it', async () => {
  const emil = await newUser('emil')
  const soon = Math.floor(Date.now() / 1_000) + 60
  const key = await create(emil.api_key, { scopes: ['chat'], expires_at: new Date(soon * 1_000 + 900).toISOString() })
  const session = await fixture.signIn.withApiKey(key.api_key, testCallContext())
  const claims = { scopes: ['chat'], root: false, exp: soon }
  expect(decodeJwt((await exchange(key.api_key)).access_token)).toMatchObject(claims)
  expect(decodeJwt((await fixture.credentials.exchange('session', session.session_secret)).access_token)).toMatchObject(claims)
  for (const sid of [key.id, session.session_id]) {
    const grant = await fixture.grants.create(newId(), testCaller(emil.id, { sid }))
    expect(decodeJwt((await fixture.grants.issueToken(grant)).token)).toMatchObject({ ...claims, aud: 'run' })
  }
  const over = new Date(Date.now() - 1_000).toISOString()
  await fixture.db.updateTable('api_keys').set({ expires_at: over }).where('id', '=', key.id).execute()
  await expect(exchange(key.api_key)).rejects.toMatchObject({ message: expect.stringContaining('expired') })
  await expect(fixture.credentials.exchange('session', session.session_secret)).rejects.toMatchObject({
    code: 'NOT_AUTHENTICATED',
  })
  // Neither before nor after its end is the expired key found for another one.
  const other = await newUser('other')
  const others = async () => [await works(other.api_key), await works(newApiKey())]
  const errorOf = (secret: string) => exchange(secret).catch((error: unknown) => String(error))
  const unknown = await errorOf(newApiKey())
  expect(unknown).not.toContain('expired')
  expect(await others()).toEqual([true, false])
  await Promise.all([fixture.apiKeys.endExpired(), fixture.apiKeys.endExpired()])
  expect(await others()).toEqual([true, false])
  expect(await errorOf(newApiKey())).toBe(unknown)
  const ended = await revocations()
  expect(ended.filter((id) => id === key.id || id === session.session_id).sort()).toEqual([key.id, session.session_id].sort())
  await expect(exchange(key.api_key)).rejects.toMatchObject({ message: expect.stringContaining('expired') })
})

test('no token is signed after the moment of a suspension, whatever runs at the same time', async () => {
  const context = { ...testCallContext(), caller: await fixture.root() }
  const fay = await newUser('fay')
  for (let round = 0; round < 15; round += 1) {
    const asked = Array.from({ length: 6 }, () => exchange(fay.api_key).catch(() => undefined))
    const [tokens] = await Promise.all([Promise.all(asked), fixture.accountAdmin.update(fay.id, { suspended: true }, context)])
    const at = (await fixture.revocations.list()).find(({ sub }) => sub === fay.id)?.revoked_at ?? ''
    for (const token of tokens) {
      const jti = String(token ? decodeJwt(token.access_token).jti : '')
      const signed = token ? Number.parseInt(jti.slice(0, 8) + jti.slice(9, 13), 16) : 0
      expect(signed).toBeLessThanOrEqual(Date.parse(at))
    }
    await fixture.accountAdmin.update(fay.id, { suspended: false }, context)
  }
  expect(await works(fay.api_key)).toBe(true)
})

test('a key with many sessions ends with a single revocation for all of them', async () => {
  const gus = await newUser('gus')
  const { sid, user } = await exchange(gus.api_key)
  const sessions = Array.from({ length: 60 }, () => fixture.signIn.withApiKey(gus.api_key, testCallContext()))
  await Promise.all(sessions)
  const before = (await revocations()).length
  await fixture.apiKeys.revoke(sid, await contextOf(gus.api_key))
  const added = (await revocations()).slice(0, -before || undefined)
  expect(added.sort()).toEqual([sid, user.id].sort())
  expect(await fixture.db.selectFrom('sessions').select('id').where('user_id', '=', user.id).execute()).toEqual([])
})

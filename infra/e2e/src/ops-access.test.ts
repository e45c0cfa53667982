import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
// No peer of this test is listed, so each needs a credential.
beforeAll(async () => void (system = await startTestSystem({ env: { SECURITY__OPS_PEERS: '10.9.9.9' } })), 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

test.each(['/health/detailed', '/metrics', '/metrics/targets'])(
  '%s is for root and for keys of root with the scope ops',
  async (path) => {
    const keyOf = async (owner: Person, scopes?: string[]) =>
      new Person(system.api, '', (await owner.post('/v1/account/api-keys', { name: 'x', scopes })).body.api_key)
    const ada = await system.newPerson(`ada${path.replaceAll('/', '-')}`)
    const boss = await system.root.post('/v1/admin/users', { username: `boss${path.replaceAll('/', '-')}`, is_root: true })
    const ops = await keyOf(new Person(system.api, '', boss.body.api_key), ['ops'])
    for (const allowed of [system.root, await keyOf(system.root), await keyOf(system.root, ['ops']), ops])
      expect((await allowed.get(path)).status).toBe(200)
    for (const refused of [ada, await keyOf(ada), await keyOf(ada, ['chat']), await keyOf(system.root, ['chat', 'documents'])])
      expect((await refused.get(path)).body).toMatchObject(failure('NOT_AUTHORIZED'))
    for (const nobody of [new Person(system.api, ''), new Person(system.api, '', 'yw_wrong')])
      expect((await nobody.get(path)).body).toMatchObject(failure('NOT_AUTHENTICATED'))
    // The key is worth nothing once its user is root no more.
    await system.root.call('PATCH', `/v1/admin/users/${boss.body.id}`, { is_root: false })
    await expect.poll(async () => (await ops.get(path)).status, { timeout: 10_000 }).toBe(403)
  },
)

test('/health tells everybody the state and nothing else, /health/ready also that of each part, without addresses and reasons', async () => {
  const get = async (path: string) => (await new Person(system.api, '').get(path)).body
  const state = { status: 'ok', timestamp: expect.any(String) }
  expect(await get('/health')).toEqual(state)
  const ok = { status: 'ok' }
  expect(await get('/health/ready')).toEqual({ ...state, components: { nats: ok, keys: ok, auth: ok, 'chat-agent': ok } })
})

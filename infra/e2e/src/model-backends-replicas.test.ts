import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startModelServer } from '@youworker/test-kit/model-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { expect, test } from 'vitest'
import { spawnSystem } from './support/spawned-system.ts'

const BACKENDS = '/v1/admin/models/backends'

test('every agent process uses a change without a restart', async () => {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'youworker models '))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const { root } = stack.use(await spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'chat-agent=2']))
  const server = stack.use(await startModelServer({ protocol: 'openai', models: ['added'], answer: 'Here.' }))
  const isListed = async () => (await root.get('/v1/models')).body.data.some(({ id }: { id: string }) => id === 'added')
  /** Which of the two answers is chance. */
  const allSay = async (listed: boolean) => {
    for (let n = 0; n < 20; n += 1) if ((await isListed()) !== listed) return false
    return true
  }
  const { body } = await root.post(BACKENDS, { name: 'gpu', protocol: 'openai', base_url: server.url })
  await waitFor(() => allSay(true), { what: 'the new server at both', timeoutMs: 15_000 })
  await root.call('PATCH', `${BACKENDS}/${body.id}`, { enabled: false })
  await waitFor(() => allSay(false), { what: 'both without it', timeoutMs: 15_000 })
  expect((await root.get(`${BACKENDS}/${body.id}`)).body).toMatchObject({ name: 'gpu', enabled: false })
}, 120_000)

import { expect, test } from 'vitest'
import { startSystem } from './system.ts'

test('a system in this process serves again after a service, and then NATS with its store, is stopped and started', async () => {
  await using system = await startSystem()
  const get = async (path: string) => {
    const response = await fetch(`${system.api}${path}`, { headers: { 'x-api-key': system.rootApiKey } })
    return response.status
  }
  expect(await get('/v1/auth/me')).toBe(200)
  expect(await get('/v1/groups')).toBe(200)

  await system.services.group.stop()
  expect(await get('/v1/groups')).toBe(503)
  expect(await get('/v1/auth/me')).toBe(200)
  await system.services.group.start()
  await expect.poll(() => get('/v1/groups'), { timeout: 30_000 }).toBe(200)

  await system.nats.stop()
  await system.nats.deleteStore()
  await system.nats.start()
  await expect.poll(() => get('/v1/groups'), { timeout: 30_000 }).toBe(200)
})

import { expect, test } from 'vitest'
import { startHouse } from './house.ts'

test('a house in this process serves, loses a part and NATS with its store, and serves again', async () => {
  await using house = await startHouse()
  const get = async (path: string) => {
    const response = await fetch(`${house.api}${path}`, { headers: { 'x-api-key': house.rootApiKey } })
    return response.status
  }
  expect(await get('/v1/auth/me')).toBe(200)
  expect(await get('/v1/groups')).toBe(200)

  await house.services.group.stop()
  expect(await get('/v1/groups')).toBe(503)
  expect(await get('/v1/auth/me')).toBe(200)
  await house.services.group.start()
  await expect.poll(() => get('/v1/groups'), { timeout: 30_000 }).toBe(200)

  await house.nats.stop()
  await house.nats.deleteStore()
  await house.nats.start()
  await expect.poll(() => get('/v1/groups'), { timeout: 30_000 }).toBe(200)
})

import { execFile, spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { HOSTILE, tryHostileUrls, type Outcome } from './test-hostile-urls.ts'

const IN_NAMESPACE = ['--user', '--map-root-user', '--net', '--', 'sh', '-c']
const ALL_ADDRESSES_ARE_HERE = 'ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo'
const namespaces = spawnSync('unshare', [...IN_NAMESPACE, ALL_ADDRESSES_ARE_HERE]).status === 0

function expectAllRefused(outcome: Outcome) {
  expect(outcome.fetched).toEqual([])
  expect(outcome.idle).toEqual([])
  expect(outcome.controls).toHaveLength(4)
  expect(outcome.tried).toBe(HOSTILE.length * 8)
  expect(HOSTILE.length).toBeGreaterThanOrEqual(150)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '::')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

test('no hostile URL makes this process connect to anything but the public site, however it is reached', async () => {
  const [goodPort, badPort] = [await freePort(), await freePort()]
  const attempts: string[] = []
  const watch = (message: unknown) => {
    if (typeof message !== 'object' || message === null || !('socket' in message) || !(message.socket instanceof Socket)) return
    message.socket.on('connectionAttempt', (address: string, port: number) => attempts.push(`${address} ${port}`))
  }
  subscribe('net.client.socket', watch)
  try {
    expectAllRefused(await tryHostileUrls({ good: '127.0.0.1', goodPort, badPort, allow: [`127.0.0.1:${goodPort}`] }))
  } finally {
    unsubscribe('net.client.socket', watch)
  }
  expect(new Set(attempts)).toEqual(new Set([`127.0.0.1 ${goodPort}`]))
})

test.runIf(namespaces)('where every address is reachable, a hostile URL reaches none of them', async () => {
  const script = fileURLToPath(new URL('test-own-network.ts', import.meta.url))
  const command = `${ALL_ADDRESSES_ARE_HERE} && exec "$0" "$1"`
  const { stdout } = await promisify(execFile)('unshare', [...IN_NAMESPACE, command, process.execPath, script], {
    timeout: 80_000,
  })
  const { guarded, byGuarded, byUnguarded } = JSON.parse(stdout) as { guarded: Outcome; byGuarded: string[]; byUnguarded: number }
  expectAllRefused(guarded)
  expect(byGuarded).toEqual([])
  expect(byUnguarded).toBeGreaterThan(100)
})

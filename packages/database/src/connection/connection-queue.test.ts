import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, test } from 'vitest'
import { ConnectionQueue } from './connection-queue.ts'

test('who waited longer than the limit while the process was busy is told so, without a warning of Node', async () => {
  const sockets: Socket[] = []
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const pool = new pg.Pool({ host: '127.0.0.1', port: (silent.address() as AddressInfo).port, max: 2 })
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  try {
    const queue = new ConnectionQueue(pool, { poolSize: 1, isFull: () => false })
    const taken = queue.take(150, () => new Error('late'))
    for (const end = performance.now() + 300; performance.now() < end;);
    await expect(taken).rejects.toThrow('late')
    await sleep(20)
    expect(warnings).toEqual([])
  } finally {
    process.off('warning', note)
    for (const socket of sockets) socket.destroy()
    silent.close()
  }
})

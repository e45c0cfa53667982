import { setImmediate } from 'node:timers/promises'
import { LIMITS } from '@youworker/contracts/limits'
import { expect, test } from 'vitest'
import { type PartStore, writeFile, WriteQueue } from './part-writer.ts'

/** Collects the writes; the test ends each of them. */
function storeOf(writes: PromiseWithResolvers<void>[]): PartStore {
  return {
    store: () => Promise.resolve('whole'),
    create: () => Promise.resolve('blob'),
    write() {
      const write = Promise.withResolvers<void>()
      writes.push(write)
      return write.promise
    },
    finish: (_, parts) => Promise.resolve({ size: parts * LIMITS.part }),
  }
}

/** A file of 20 parts, and how many of them were read. */
function fileOf(count: { read: number }) {
  return (async function* () {
    for (; count.read < 20; count.read++) yield Buffer.alloc(LIMITS.part)
  })()
}

const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await setImmediate()
}

test('four parts are in flight, and reading waits with one more in memory', async () => {
  const writes: PromiseWithResolvers<void>[] = []
  const count = { read: 0 }
  const options = { store: storeOf(writes), queue: new WriteQueue(), maxBytes: 20 * LIMITS.part }
  const writing = writeFile({ name: 'blob', fields: [], source: fileOf(count) }, options)
  await settle()
  expect([writes.length, count.read]).toEqual([4, 4])
  writes[2]?.resolve()
  await settle()
  expect([writes.length, count.read]).toEqual([5, 5])
  for (let index = 0; index < 20; index++) {
    writes[index]?.resolve()
    await settle()
  }
  expect(await writing).toBe('blob')
})

test('after the first failure no write begins, in no file of the request', async () => {
  const writes: PromiseWithResolvers<void>[] = []
  const options = { store: storeOf(writes), queue: new WriteQueue(), maxBytes: 20 * LIMITS.part }
  const files = [{ read: 0 }, { read: 0 }]
  const writing = Promise.allSettled(
    files.map((count, index) => writeFile({ name: `blob ${index}`, fields: [], source: fileOf(count) }, options)),
  )
  await settle()
  expect(writes.length).toBe(4)
  const failure = new Error('full')
  writes[1]?.reject(failure)
  await settle()
  for (const write of writes) write.resolve()
  expect(await writing).toEqual([
    { status: 'rejected', reason: failure },
    { status: 'rejected', reason: failure },
  ])
  expect(writes.length).toBe(4)
})

import { AppError } from '@youworker/contracts/errors'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { BatchWriter } from './batch-writer.ts'

const outcomes = (writer: BatchWriter<string>, items: readonly string[]) =>
  Promise.allSettled(items.map((item) => writer.add(item))).then((all) => all.map(({ status }) => status))

test('what arrives while a batch is written is the next batch, in its order, and resolves when it is written', async () => {
  const batches: (readonly string[])[] = []
  const writer = new BatchWriter<string>(async (items) => {
    await sleep(20)
    batches.push(items)
  })
  const first = Promise.all(['a', 'b'].map((item) => writer.add(item)))
  await sleep(5)
  const later = writer.add('c').then(() => batches.length)
  await Promise.all([first, writer.add('d')])
  expect(batches).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
  expect(await later).toBe(2)
})

test('500 items are written in batches of at most 200', async () => {
  const sizes: number[] = []
  const writer = new BatchWriter<string>(async (items) => void sizes.push(items.length))
  await outcomes(writer, Array.from({ length: 500 }, String))
  expect(sizes).toEqual([200, 200, 100])
})

test('an item that cannot be written fails alone', async () => {
  const written: string[] = []
  const writer = new BatchWriter<string>(async (items) => {
    if (items.includes('bad')) throw new Error('refused')
    written.push(...items)
  })
  expect(await outcomes(writer, ['a', 'bad', 'b'])).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(written).toEqual(['a', 'b'])
  expect(await outcomes(writer, ['c'])).toEqual(['fulfilled'])
})

test('while the database is away nothing is tried one by one', async () => {
  let tries = 0
  const writer = new BatchWriter<string>(async () => {
    tries += 1
    throw new AppError('SERVICE_UNAVAILABLE', 'away')
  })
  expect(await outcomes(writer, ['a', 'b', 'c'])).toEqual(['rejected', 'rejected', 'rejected'])
  expect(tries).toBe(1)
})

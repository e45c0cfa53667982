import { setImmediate as turn } from 'node:timers/promises'
import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { chat, chatDatabase, type Replica } from '../../test-fixture.ts'
import { entryNumber } from './transcript.ts'

let database: Awaited<ReturnType<typeof chatDatabase>>
let replica: Replica
beforeAll(async () => {
  database = await chatDatabase()
  replica = database.replica({}, { worker: false })
})
afterAll(() => database[Symbol.asyncDispose]())

async function begunRun() {
  const user = newId()
  const { run_id } = await replica.services.startRun.start(chat({ text_input: 'Hello' }), testUserContext(user))
  await replica.services.uow.in([user]).write(({ runs }) => runs.begin(run_id, 1))
  const entry = (index: number) => {
    return { run_id, n: entryNumber(1, index), attempt: 1, space_id: user, body: Buffer.from(`entry ${index}`) }
  }
  const stored = () => replica.services.uow.in([user]).read(({ entries }) => entries.page(run_id, entryNumber(0, 9), 100))
  return { attempt: { run_id, attempt: 1 }, user, entry, stored: async () => (await stored()).map(({ n }) => n) }
}

test('what is handed over is written once, in the transaction that takes it', async () => {
  const { writer, uow } = replica.services
  const { attempt, user, entry, stored } = await begunRun()
  for (const index of [1, 2]) writer.append(entry(index))
  const taken = await writer.storeWith(attempt, (entries) =>
    uow.in([user]).write(async (repositories) => {
      await repositories.entries.add(entries)
      return entries.map(({ n }) => n)
    }),
  )
  expect(taken).toEqual([entry(1).n, entry(2).n])
  await writer.flush(attempt)
  expect(await stored()).toEqual(taken)
})

test('what was handed over to a transaction that failed is still written, before what came later', async () => {
  const { writer } = replica.services
  const { attempt, entry, stored } = await begunRun()
  writer.append(entry(1))
  const failed = writer.storeWith(attempt, async () => {
    throw new Error('no connection')
  })
  writer.append(entry(2))
  await expect(failed).rejects.toThrow('no connection')
  await writer.flush(attempt)
  expect(await stored()).toEqual([entry(1).n, entry(2).n])
})

test('entries that are being written when the rest is handed over are stored first', async () => {
  const { writer } = replica.services
  const { attempt, entry, stored } = await begunRun()
  writer.append(entry(1))
  const flushed = writer.flush(attempt)
  await turn()
  writer.append(entry(2))
  const before = await writer.storeWith(attempt, async (entries) => [entries.length, await stored()])
  await flushed
  expect(before).toEqual([1, [entry(1).n]])
})

test('what is stored stays so when nobody can be told of it', async () => {
  const { writer, uow } = replica.services
  const { attempt, user, entry, stored } = await begunRun()
  const untold = () => {
    throw new Error('no connection')
  }
  writer.append(entry(1), untold)
  await writer.flush(attempt)
  writer.append(entry(2), untold)
  await writer.storeWith(attempt, (entries) => uow.in([user]).write((repositories) => repositories.entries.add(entries)))
  writer.append(entry(3))
  await writer.flush(attempt)
  expect(await stored()).toEqual([entry(1).n, entry(2).n, entry(3).n])
})

import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, noteDatabase } from './test-fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await noteDatabase()
})
afterAll(async () => {
  await fixture[Symbol.asyncDispose]()
})

const call = (key: string | undefined, request: unknown = { a: 1, b: [2] }, user_id = newId()) => ({
  user_id,
  subject: 'sample',
  key,
  request,
})

const addNote = (input: ReturnType<typeof call>, space: string) =>
  fixture.uow.in([space]).write(({ idempotency, notes }) =>
    idempotency.once(input, async () => {
      const id = newId()
      await notes.add({ id, space_id: space, text: 'once' })
      return { id }
    }),
  )

test('ten identical concurrent calls do the work once and return the same result', async () => {
  const [space, input] = [newId(), call('key-1')]
  const answers = await Promise.all(Array.from({ length: 10 }, () => addNote(input, space)))
  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  expect(await fixture.uow.in([space]).read(({ notes }) => notes.all())).toHaveLength(1)
})

test('the same key with another request is a mismatch; another order of fields is not', async () => {
  const [space, user] = [newId(), newId()]
  const first = await addNote(call('key', { a: 1, b: { c: 2, d: 3 } }, user), space)
  expect(await addNote(call('key', { b: { d: 3, c: 2 }, a: 1 }, user), space)).toEqual(first)
  await expect(addNote(call('key', { a: 2 }, user), space)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' })
})

test('keys of different users are independent, and calls without a key always run', async () => {
  const space = newId()
  const ids = [
    await addNote(call('same'), space),
    await addNote(call('same'), space),
    await addNote(call(undefined), space),
    await addNote(call(undefined), space),
  ]
  expect(new Set(ids.map(({ id }) => id)).size).toBe(4)
})

test('a key can be used again after its work failed', async () => {
  const input = call('again')
  const failing = fixture.uow.system().write(({ idempotency }) =>
    idempotency.once(input, async () => {
      throw new Error('no')
    }),
  )
  await expect(failing).rejects.toThrow('no')
  const space = newId()
  expect(await addNote(input, space)).toHaveProperty('id')
})

test('an invalid key is VALIDATION_ERROR', async () => {
  for (const key of ['', 'x'.repeat(256), 'a\0b']) {
    await expect(addNote(call(key), newId())).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  }
})

test('an event has its effect once, also when two deliveries run at the same time', async () => {
  const [space, event] = [newId(), newId()]
  const deliver = () =>
    fixture.uow.in([space]).write(async ({ inbox, notes }) => {
      if (await inbox.first(event)) await notes.add({ id: newId(), space_id: space, text: 'effect' })
    })
  await Promise.all([deliver(), deliver(), deliver()])
  expect(await fixture.uow.in([space]).read(({ notes }) => notes.all())).toHaveLength(1)
})

test('a dead letter keeps the received text, whatever it is', async () => {
  const letter = { envelope_json: '{"half":\0 \ud800', reason: 'VALIDATION_ERROR: data is missing' }
  await fixture.uow.system().write(({ deadLetters }) => deadLetters.add(letter))
  const [row] = await fixture.uow.system().read(({ deadLetters }) => deadLetters.list({ limit: 10 }))
  expect(row).toMatchObject({ envelope: '{"half":\ufffd \ufffd', reason: letter.reason })
})

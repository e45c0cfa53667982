import { randomBytes } from 'node:crypto'
import { newId } from '@youworker/runtime/id'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseKeyRing } from './key-ring.ts'
import { createSealer } from './sealer.ts'
import { type Fixture, noteDatabase } from '../test-fixture.ts'

const [old, newer] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
const context = { table: 'notes', id: newId() }

let fixture: Fixture
beforeAll(async () => {
  fixture = await noteDatabase()
})
afterAll(async () => {
  await fixture[Symbol.asyncDispose]()
})

test('a sealed value opens only with its own context and key', async () => {
  const sealer = createSealer(fixture.database, parseKeyRing(old))
  const [mine, theirs] = [await sealer.forSpace(newId()), await sealer.forSpace(newId())]
  const sealed = mine.sealText('grüße 🌍', context)
  expect(mine.openText(sealed, context)).toBe('grüße 🌍')
  expect(sealed.includes('gr')).toBe(false)
  expect(mine.sealText('grüße 🌍', context)).not.toEqual(sealed)
  const changed = Buffer.from(sealed)
  changed[changed.length - 1]! ^= 1
  for (const attempt of [
    () => mine.open(sealed, { ...context, id: newId() }),
    () => mine.open(sealed, { ...context, table: 'other' }),
    () => theirs.open(sealed, context),
    () => mine.open(changed, context),
    () => mine.open(sealed.subarray(0, 20), context),
    () => mine.open(Buffer.alloc(0), context),
  ]) {
    expect(attempt).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }))
  }
})

test('ten concurrent first uses of a space create one key', async () => {
  const ring = parseKeyRing(old)
  const space = newId()
  const sealers = await Promise.all(
    Array.from({ length: 10 }, () => createSealer(fixture.connect().database, ring).forSpace(space)),
  )
  const sealed = sealers.map((sealer, i) => sealer.sealText(`text ${i}`, context))
  expect(sealed.map((value) => sealers[0]?.openText(value, context))).toEqual(sealed.map((_, i) => `text ${i}`))
})

test('a Fernet key is version 1; a newer key rewraps the data key, and the old one can then be removed', async () => {
  const space = newId()
  const sealed = (await createSealer(fixture.database, parseKeyRing(`${old}=`)).forSpace(space)).sealText('kept', context)
  const without = createSealer(fixture.database, parseKeyRing(`2:${newer}`))
  await expect(without.forSpace(space)).rejects.toThrow(/lacks key 1/)
  const both = createSealer(fixture.database, parseKeyRing(`1:${old},2:${newer}`))
  expect((await both.forSpace(space)).openText(sealed, context)).toBe('kept')
  expect((await without.forSpace(space)).openText(sealed, context)).toBe('kept')
})

test('a wrapped data key copied to another space does not open', async () => {
  const ring = parseKeyRing(old)
  const [mine, theirs] = [newId(), newId()]
  await createSealer(fixture.database, ring).forSpace(mine)
  const admin = new pg.Client({ connectionString: fixture.adminUrl })
  await admin.connect()
  await admin.query(
    `insert into "group".data_keys (space_id, key_version, wrapped) select $1, key_version, wrapped from "group".data_keys where space_id = $2`,
    [theirs, mine],
  )
  await admin.end()
  await expect(createSealer(fixture.database, ring).forSpace(theirs)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' })
})

test('after the data key was deleted, sealed values do not open', async () => {
  const sealer = createSealer(fixture.database, parseKeyRing(old))
  const space = newId()
  const sealed = (await sealer.forSpace(space)).sealText('gone', context)
  await sealer.forget(space)
  const again = await sealer.forSpace(space)
  expect(() => again.openText(sealed, context)).toThrow(/does not open/)
})

test('the error for an invalid key ring says what is wrong, without the key', () => {
  for (const [secret, reason] of [
    ['short', /key 1 is not 32 bytes/],
    [`${old},${newer}`, /needs a number/],
    [`1:${old},1:${newer}`, /key 1 is there twice/],
    [`0:${old}`, /start at 1/],
    [`2:${old}x`, /key 2 is not 32 bytes/],
    ['', /key 1 is not 32 bytes/],
  ] as const) {
    expect(() => parseKeyRing(secret)).toThrow(reason)
    expect(() => parseKeyRing(secret)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(old) }))
  }
})

import { randomBytes } from 'node:crypto'
import { newId } from '@youworker/runtime/id'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseKeyRing } from './key-ring.ts'
import { createSealer } from './sealer.ts'
import { type Fixture, noteDatabase } from '../test-fixture.ts'

const [old, newer] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
const place = { table: 'notes', id: newId() }

let fixture: Fixture
beforeAll(async () => {
  fixture = await noteDatabase()
})
afterAll(async () => {
  await fixture[Symbol.asyncDispose]()
})

test('opens in its own place, and nowhere else', async () => {
  const sealer = createSealer(fixture.database, parseKeyRing(old))
  const [mine, theirs] = [await sealer.forSpace(newId()), await sealer.forSpace(newId())]
  const sealed = mine.sealText('grüße 🌍', place)
  expect(mine.openText(sealed, place)).toBe('grüße 🌍')
  expect(sealed.includes('gr')).toBe(false)
  expect(mine.sealText('grüße 🌍', place)).not.toEqual(sealed)
  const changed = Buffer.from(sealed)
  changed[changed.length - 1]! ^= 1
  for (const attempt of [
    () => mine.open(sealed, { ...place, id: newId() }),
    () => mine.open(sealed, { ...place, table: 'other' }),
    () => theirs.open(sealed, place),
    () => mine.open(changed, place),
    () => mine.open(sealed.subarray(0, 20), place),
    () => mine.open(Buffer.alloc(0), place),
  ]) {
    expect(attempt).toThrow(expect.objectContaining({ code: 'INTERNAL_ERROR' }))
  }
})

test('ten first uses of a space at the same time make one key', async () => {
  const ring = parseKeyRing(old)
  const space = newId()
  const sealers = await Promise.all(Array.from({ length: 10 }, () => createSealer(fixture.open().database, ring).forSpace(space)))
  const sealed = sealers.map((sealer, i) => sealer.sealText(`text ${i}`, place))
  expect(sealed.map((value) => sealers[0]?.openText(value, place))).toEqual(sealed.map((_, i) => `text ${i}`))
})

test('a Fernet key is version 1; a new key takes over, and the old one may then go', async () => {
  const space = newId()
  const sealed = (await createSealer(fixture.database, parseKeyRing(`${old}=`)).forSpace(space)).sealText('kept', place)
  const without = createSealer(fixture.database, parseKeyRing(`2:${newer}`))
  await expect(without.forSpace(space)).rejects.toThrow(/lacks key 1/)
  const both = createSealer(fixture.database, parseKeyRing(`1:${old},2:${newer}`))
  expect((await both.forSpace(space)).openText(sealed, place)).toBe('kept')
  expect((await without.forSpace(space)).openText(sealed, place)).toBe('kept')
})

test('a wrapped key moved to another space does not open', async () => {
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

test('a forgotten key opens nothing any more', async () => {
  const sealer = createSealer(fixture.database, parseKeyRing(old))
  const space = newId()
  const sealed = (await sealer.forSpace(space)).sealText('gone', place)
  await sealer.forget(space)
  const again = await sealer.forSpace(space)
  expect(() => again.openText(sealed, place)).toThrow(/does not open/)
})

test('a key ring that is not one says what is wrong, without the key', () => {
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

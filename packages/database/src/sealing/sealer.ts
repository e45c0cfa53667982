import { randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { KeyRing } from './key-ring.ts'
import type { SystemDatabase } from '../connection/open.ts'
import { open, seal } from './seal.ts'
import type { SystemTables } from '../schema/system-tables.ts'

const KEY_BYTES = 32
const CACHED_SPACES = 10_000
/** A key that was forgotten by another process is used at most this long. */
const CACHED_MS = 60_000

/** Where a sealed value belongs: it opens only there. */
export interface Place {
  readonly table: string
  readonly id: string
}

/** Seals and opens with one space's data key. */
export interface SpaceSealer {
  seal(plain: string | Uint8Array, place: Place): Buffer
  open(sealed: Uint8Array, place: Place): Buffer
  sealText(text: string, place: Place): Buffer
  openText(sealed: Uint8Array, place: Place): string
}

export interface Sealer {
  /** Makes the space's data key at first use. Ask before a unit of work, not in it: this takes a connection of its own. */
  forSpace(spaceId: string): Promise<SpaceSealer>
  /** Destroys the space's data key: nothing sealed with it opens again. */
  forget(spaceId: string): Promise<void>
}

export function createSealer(database: SystemDatabase, ring: KeyRing): Sealer {
  const cache = new LRUCache<string, Promise<SpaceSealer>>({ max: CACHED_SPACES, ttl: CACHED_MS })
  return {
    async forSpace(spaceId) {
      const known = cache.get(spaceId)
      if (known !== undefined) return known
      const sealer = dataKey(database, ring, spaceId).then(sealerOf)
      cache.set(spaceId, sealer)
      sealer.catch(() => cache.delete(spaceId))
      return sealer
    },
    async forget(spaceId) {
      cache.delete(spaceId)
      await database.transact(spaceId, 'write', ({ system }) =>
        system.deleteFrom('data_keys').where('space_id', '=', spaceId).execute(),
      )
      cache.delete(spaceId)
    },
  }
}

async function dataKey(database: SystemDatabase, ring: KeyRing, spaceId: string): Promise<Buffer> {
  const stored = await database.transact(spaceId, 'read', ({ system }) => find(system, spaceId))
  if (stored?.key_version === ring.active) return open(ring.get(stored.key_version), stored.wrapped, placeOf(spaceId))
  return database.transact(spaceId, 'write', async ({ system }) => {
    const fresh = randomBytes(KEY_BYTES)
    await system
      .insertInto('data_keys')
      .values({ space_id: spaceId, ...wrap(ring, fresh, spaceId) })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const row = await find(system, spaceId)
    if (row === undefined) throw new Error('a data key vanished while it was made')
    const key = open(ring.get(row.key_version), row.wrapped, placeOf(spaceId))
    if (row.key_version < ring.active) await rewrap(system, ring, spaceId, row.key_version, key)
    return key
  })
}

const find = (system: Transaction<SystemTables>, spaceId: string) =>
  system.selectFrom('data_keys').select(['key_version', 'wrapped']).where('space_id', '=', spaceId).executeTakeFirst()

/** The data key stays, so nothing needs sealing again; only its wrapping is renewed. */
async function rewrap(
  system: Transaction<SystemTables>,
  ring: KeyRing,
  spaceId: string,
  version: number,
  key: Buffer,
): Promise<void> {
  await system
    .updateTable('data_keys')
    .set(wrap(ring, key, spaceId))
    .where('space_id', '=', spaceId)
    .where('key_version', '=', version)
    .execute()
}

const wrap = (ring: KeyRing, key: Buffer, spaceId: string) => ({
  key_version: ring.active,
  wrapped: seal(ring.get(ring.active), key, placeOf(spaceId)),
})

const placeOf = (spaceId: string): string => `data_keys/${spaceId}`

function sealerOf(key: Buffer): SpaceSealer {
  const at = ({ table, id }: Place): string => `${table}/${id}`
  return {
    seal: (plain, place) => seal(key, typeof plain === 'string' ? Buffer.from(plain) : plain, at(place)),
    open: (sealed, place) => open(key, sealed, at(place)),
    sealText: (text, place) => seal(key, Buffer.from(text), at(place)),
    openText: (sealed, place) => open(key, sealed, at(place)).toString(),
  }
}

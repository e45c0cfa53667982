import { createHmac, randomBytes } from 'node:crypto'
import type { Transaction } from 'kysely'
import { LRUCache } from 'lru-cache'
import type { KeyRing } from './key-ring.ts'
import type { SystemDatabase } from '../connection/open.ts'
import { open, seal } from './seal.ts'
import type { SystemTables } from '../schema/system-tables.ts'

const KEY_BYTES = 32
const CACHED_SPACES = 10_000
/** A data key that another process has deleted is used at most this long. */
const CACHED_MS = 60_000

/** The row that a sealed value belongs to, as its additional authenticated data: the value opens with no other. */
export interface SealContext {
  readonly table: string
  readonly id: string
}

/** Seals and opens values with the data key of one space. */
export interface SpaceSealer {
  seal(plain: string | Uint8Array, context: SealContext): Buffer
  open(sealed: Uint8Array, context: SealContext): Buffer
  sealText(text: string, context: SealContext): Buffer
  openText(sealed: Uint8Array, context: SealContext): string
  /** HMAC-SHA-256 with a key of the space: finds equal texts again, and tells nobody else what they were. */
  digest(text: string, purpose: string): Buffer
}

export interface Sealer {
  /**
   * Creates the space's data key at first use. Call it before a unit of work and not inside, because it takes its own
   * connection.
   */
  forSpace(spaceId: string): Promise<SpaceSealer>
  /** Deletes the space's data key: values sealed with it never open again. */
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
  if (stored?.key_version === ring.active) return open(ring.get(stored.key_version), stored.wrapped, contextOf(spaceId))
  return database.transact(spaceId, 'write', async ({ system }) => {
    const fresh = randomBytes(KEY_BYTES)
    await system
      .insertInto('data_keys')
      .values({ space_id: spaceId, ...wrap(ring, fresh, spaceId) })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const row = await find(system, spaceId)
    if (row === undefined) throw new Error('a data key was deleted while it was created')
    const key = open(ring.get(row.key_version), row.wrapped, contextOf(spaceId))
    if (row.key_version < ring.active) await rewrap(system, ring, spaceId, row.key_version, key)
    return key
  })
}

const find = (system: Transaction<SystemTables>, spaceId: string) =>
  system.selectFrom('data_keys').select(['key_version', 'wrapped']).where('space_id', '=', spaceId).executeTakeFirst()

/** Wraps the same data key with the newest key of the ring, so that no value has to be sealed again. */
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
  wrapped: seal(ring.get(ring.active), key, contextOf(spaceId)),
})

const contextOf = (spaceId: string): string => `data_keys/${spaceId}`

function sealerOf(key: Buffer): SpaceSealer {
  const textOf = ({ table, id }: SealContext): string => `${table}/${id}`
  return {
    seal: (plain, context) => seal(key, typeof plain === 'string' ? Buffer.from(plain) : plain, textOf(context)),
    open: (sealed, context) => open(key, sealed, textOf(context)),
    sealText: (text, context) => seal(key, Buffer.from(text), textOf(context)),
    openText: (sealed, context) => open(key, sealed, textOf(context)).toString(),
    // A key for each purpose, and none of them the one that seals (RFC 5869: HKDF-Expand, one block).
    digest(text, purpose) {
      const own = createHmac('sha256', key).update(`digest/${purpose}\u0001`).digest()
      return createHmac('sha256', own).update(text).digest()
    },
  }
}

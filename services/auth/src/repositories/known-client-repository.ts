import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { type Expression, type SqlBool, sql, type Transaction } from 'kysely'

export interface ClientHashes {
  readonly device: Buffer
  readonly address: Buffer
}

type Kind = keyof ClientHashes
const KINDS = ['address', 'device'] as const satisfies readonly Kind[]
/** Of each kind and user, once of those that came back and once of the others: a script without cookies pushes out no browser. */
const MOST = 20
const LIFE = { device: '180 days', address: '30 days' } as const
const isOver: Expression<SqlBool> = sql<boolean>`
  last_used_at < now() - case kind when 'device' then ${LIFE.device}::interval else ${LIFE.address}::interval end`

/** The devices and addresses from which users have signed in, as hashes. */
export class KnownClientRepository {
  readonly #db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.#db = db
  }

  /** By which of the two the user of this name is known; runs the same query whether that user exists or not. */
  async knownBy(usernameKey: string, { device, address }: ClientHashes): Promise<readonly Kind[]> {
    const rows = await this.#db
      .selectFrom('known_clients')
      .innerJoin('users', 'users.id', 'known_clients.user_id')
      .select('kind')
      .where('username_key', '=', usernameKey)
      .where(sql<boolean>`(kind, hash) in (('device', ${device}), ('address', ${address}))`)
      .where((eb) => eb.not(isOver))
      .execute()
    return rows.map(({ kind }) => kind)
  }

  async remember(userId: string, hashes: ClientHashes): Promise<void> {
    await this.#db
      .insertInto('known_clients')
      .values(KINDS.map((kind) => ({ user_id: userId, kind, hash: hashes[kind] })))
      .onConflict((conflict) =>
        conflict.columns(['user_id', 'kind', 'hash']).doUpdateSet({ last_used_at: sql`now()`, has_returned: true }),
      )
      .execute()
    for (const kind of KINDS) for (const returned of [true, false]) await this.#removeBeyondMost(userId, kind, returned)
  }

  /** Whoever has one of the user's devices is a stranger from now on. */
  async removeOfUser(userId: string): Promise<void> {
    await this.#db.deleteFrom('known_clients').where('user_id', '=', userId).execute()
  }

  async removeExpired(): Promise<void> {
    await this.#db
      .deleteFrom('known_clients')
      .where(isOver)
      // For the index.
      .where(sql<boolean>`last_used_at < now() - least(${LIFE.device}::interval, ${LIFE.address}::interval)`)
      .execute()
  }

  async #removeBeyondMost(userId: string, kind: Kind, hasReturned: boolean): Promise<void> {
    const beyond = this.#db
      .selectFrom('known_clients')
      .select('hash')
      .where('user_id', '=', userId)
      .where('kind', '=', kind)
      .where('has_returned', '=', hasReturned)
      .orderBy('last_used_at', 'desc')
      .offset(MOST)
      // Another sign-in of the same user has just used it.
      .forUpdate()
      .skipLocked()
    await this.#db
      .deleteFrom('known_clients')
      .where('user_id', '=', userId)
      .where('kind', '=', kind)
      .where('hash', 'in', beyond)
      .execute()
  }
}

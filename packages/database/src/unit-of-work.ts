import type { Transaction } from 'kysely'
import { Deletions } from './deletion/deletions.ts'
import { Receipts } from './deletion/receipts.ts'
import { DeadLetters } from './events/dead-letters.ts'
import { Idempotency } from './idempotency.ts'
import { Inbox } from './events/inbox.ts'
import { JobRepository } from './jobs/jobs.ts'
import type { Database } from './connection/open.ts'
import { Outbox } from './events/outbox.ts'
import type { Mode, Seen } from './connection/transaction.ts'

/** The repositories that every unit of work has beside the owner's. */
export interface SystemRepositories {
  readonly outbox: Outbox
  readonly inbox: Inbox
  readonly deadLetters: DeadLetters
  readonly jobs: JobRepository
  readonly idempotency: Idempotency
  readonly deletions: Deletions
  readonly receipts: Receipts
}

/** One transaction per call: all of `work` is committed when the promise resolves, none of it when it rejects. */
export interface Scope<R> {
  /** Read only; a write in it fails. */
  read<T>(work: (repositories: R) => Promise<T>): Promise<T>
  write<T>(work: (repositories: R) => Promise<T>): Promise<T>
}

/** What belongs together in a space, and is all that somebody may see of it. */
export interface Part {
  readonly space_id: string
  readonly id: string
}

export interface UnitOfWork<R> {
  /**
   * Rows of other spaces are invisible, whatever the `where` says, and so are those that are deleted. Of the spaces of `parts`, which are
   * seen too, in tables that have parts only rows of these.
   */
  in(spaces: readonly string[], parts?: readonly Part[]): Scope<R>
  /** The same with rows that are deleted and not erased. */
  inWithDeleted(spaces: readonly string[], parts?: readonly Part[]): Scope<R>
  /** Sees every space and what is deleted there: only for the relay, job claims, consumers, deletion and root's sums over everybody. */
  system(): Scope<R>
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** `bind` creates the owner's repositories from the transaction; it runs once per unit of work. */
export function createUnitOfWork<Tables, R extends object>(
  database: Database<Tables>,
  bind: (trx: Transaction<Tables>) => R,
): UnitOfWork<R & SystemRepositories> {
  const run = <T>(seen: Seen, mode: Mode, work: (repositories: R & SystemRepositories) => Promise<T>): Promise<T> =>
    database.transact(seen, mode, async ({ trx, system, markOutbox }) => {
      const own: SystemRepositories = {
        outbox: new Outbox(system, markOutbox),
        inbox: new Inbox(system),
        deadLetters: new DeadLetters(system),
        jobs: new JobRepository(system),
        idempotency: new Idempotency(system),
        deletions: new Deletions(system),
        receipts: new Receipts(system),
      }
      const result = await work(Object.assign(bind(trx), own))
      await own.outbox.write()
      return result
    })
  const scope = (seen: Seen): Scope<R & SystemRepositories> => ({
    read: (work) => run(seen, 'read', work),
    write: (work) => run(seen, 'write', work),
  })
  const everywhere = scope('*')
  return {
    in: (spaces, parts = []) => scope(parts.length === 0 ? joinSpaces(spaces) : seenOf(spaces, parts)),
    inWithDeleted: (spaces, parts = []) => scope({ ...seenOf(spaces, parts), deleted: true }),
    system: () => everywhere,
  }
}

/** A space that is named among both is seen in parts. */
function seenOf(spaces: readonly string[], parts: readonly Part[]): Exclude<Seen, string> {
  for (const { id } of parts) if (!UUID.test(id)) throw new TypeError('the id of a part is a UUID')
  const all = [...new Set([...spaces, ...parts.map(({ space_id }) => space_id)])]
  return { spaces: joinSpaces(all), parts: parts.map(({ space_id, id }) => `${space_id}/${id}`).join(',') }
}

function joinSpaces(spaces: readonly string[]): string {
  for (const space of spaces) if (!UUID.test(space)) throw new TypeError('a space id is a UUID')
  return spaces.join(',')
}

import { AppError } from '@youworker/contracts/errors'
import { BatchWriter } from '@youworker/database/events/batch-writer'
import { newId } from '@youworker/runtime/id'
import type { NewGrant } from '../../repositories/grant-repository.ts'
import { type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'
import type { Caller } from '@youworker/messaging/requests/context'
import type { SignedToken, TokenSigner } from './token-signer.ts'

/** The run of an event. */
export interface GrantedRun {
  readonly grant_id: string
  readonly run_id: string
  readonly user_id: string
}

interface GrantChange {
  readonly eventId: string
  readonly kind: 'started' | 'finished'
  readonly run: GrantedRun
}

/** Has the id of the grant once it is made. */
type Wanted = Omit<NewGrant, 'id'> & { id: string }

const keyOf = ({ user_id, run_id }: Pick<NewGrant, 'user_id' | 'run_id'>): string => `${user_id} ${run_id}`

export class GrantService {
  readonly #uow: AuthUnitOfWork
  readonly #signer: TokenSigner
  readonly #wanted = new BatchWriter<Wanted>((wanted) => this.#create(wanted))
  readonly #changes = new BatchWriter<GrantChange>((changes) => this.#apply(changes))

  constructor(uow: AuthUnitOfWork, signer: TokenSigner) {
    this.#uow = uow
    this.#signer = signer
  }

  /** A repeated call returns the id of the first. */
  async create(runId: string, caller: Caller): Promise<string> {
    const wanted: Wanted = { id: newId(), user_id: caller.user_id, sid: caller.sid, run_id: runId }
    await this.#wanted.add(wanted)
    return wanted.id
  }

  /** Returns the name of its user. Throws when the grant, its session or key, or the user is no longer good. What ends at the same moment ends the run by its event. */
  async check(grantId: string): Promise<string> {
    const grant = await this.#uow.in(NO_SPACES).read(({ grants }) => grants.live(grantId))
    if (!grant) throw ended()
    return grant.username
  }

  issueToken(grantId: string): Promise<SignedToken> {
    return this.#uow.in(NO_SPACES).write(async ({ grants, users }) => {
      const found = await grants.live(grantId)
      const user = found && (await users.hold(found.user_id))
      // Read again under the lock: a sign-out may have been faster.
      const grant = user && (await grants.live(grantId))
      if (!grant || user.suspended_at !== null) throw ended()
      const { user_id, sid, scopes, expires_at } = grant
      return this.#signer.signRun({ user_id, sid, is_root: user.is_root, scopes, not_after: expires_at })
    })
  }

  /** A repeated event does nothing. */
  runStarted(eventId: string, run: GrantedRun): Promise<void> {
    return this.#changes.add({ eventId, kind: 'started', run })
  }

  runFinished(eventId: string, run: GrantedRun): Promise<void> {
    return this.#changes.add({ eventId, kind: 'finished', run })
  }

  async #create(all: readonly Wanted[]): Promise<void> {
    const granted = await this.#uow.in(NO_SPACES).write(({ grants }) => grants.add(all))
    const ids = new Map(granted.map((grant) => [keyOf(grant), grant.id]))
    for (const wanted of all) wanted.id = ids.get(keyOf(wanted)) ?? wanted.id
  }

  async #apply(changes: readonly GrantChange[]): Promise<void> {
    await this.#uow.in(NO_SPACES).write(async ({ inbox, grants }) => {
      const first = await inbox.firstOf(changes.map(({ eventId }) => eventId))
      const runsThat = (kind: GrantChange['kind']) =>
        changes.filter((change) => change.kind === kind && first.has(change.eventId)).map(({ run }) => run)
      const [started, finished] = [runsThat('started'), runsThat('finished')]
      if (started.length > 0) await grants.markStarted(started)
      if (finished.length > 0) await grants.remove(finished)
    })
  }
}

const ended = () => new AppError('NOT_AUTHENTICATED', 'Not authenticated: the run or the session it was started in has ended.')

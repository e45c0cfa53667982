import { type AuthUnitOfWork, NO_SPACES } from '../unit-of-work.ts'

/**
 * Removes what has expired: sessions, grants, revocations, counts of failed sign-ins, known clients and keys that ended a month ago; and
 * ends keys of rotations whose answer never arrived.
 */
export class Sweeper {
  readonly #uow: AuthUnitOfWork

  constructor(uow: AuthUnitOfWork) {
    this.#uow = uow
  }

  async sweep(): Promise<void> {
    const scope = this.#uow.in(NO_SPACES)
    await scope.write(({ sessions }) => sessions.removeExpired())
    await scope.write(({ apiKeys }) => apiKeys.removeOld())
    await scope.write(({ apiKeys }) => apiKeys.revokeLost())
    await scope.write(({ grants }) => grants.removeExpired())
    await scope.write(({ revocations }) => revocations.removeOld())
    await scope.write(({ failures }) => failures.removeExpired())
    await scope.write(({ knownClients }) => knownClients.removeExpired())
  }
}

import type { DeadLetter } from './dead-letters.ts'
import type { SystemRepositories, UnitOfWork } from '../unit-of-work.ts'

/** For a consumer: keeps an event that it gave up on, in a transaction of its own. */
export const storeDeadLetter =
  (uow: UnitOfWork<Pick<SystemRepositories, 'deadLetters'>>) =>
  (letter: DeadLetter): Promise<void> =>
    uow.system().write(({ deadLetters }) => deadLetters.add(letter))

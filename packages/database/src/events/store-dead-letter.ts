import type { DeadLetter } from './dead-letters.ts'
import type { SystemRepositories, UnitOfWork } from '../unit-of-work.ts'

/** Returns the `deadLetter` function of an event consumer: it stores each dead letter in its own transaction. */
export const storeDeadLetter =
  (uow: UnitOfWork<Pick<SystemRepositories, 'deadLetters'>>) =>
  (letter: DeadLetter): Promise<void> =>
    uow.system().write(({ deadLetters }) => deadLetters.add(letter))

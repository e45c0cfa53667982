import type { RunEntry } from '@youworker/contracts/agent/run-log'
import type { UserContext } from '@youworker/messaging/requests/context'

/** Sends an entry to the current viewers of the run. Never throws: viewers read lost entries from the run's log. */
export interface LivePublisher {
  publish(runId: string, entry: RunEntry): void
}

/** Tells every process. */
export interface Waker {
  newRun(): void
  cancelled(): void
  backendsChanged(): void
}

/** Whether the caller is signed in still, as far as this process knows: it is told when that ends. */
export type IsSignedIn = (context: UserContext) => Promise<boolean>

export interface GroupPrompt {
  readonly name: string
  readonly instructions: string | null
  /** Answers in its sessions are kept, and given again. */
  readonly cache_answers?: boolean | undefined
}

/** Groups, asked of the service that has them. */
export interface Groups {
  /** What a group says of the answers of a member; `undefined` for everybody else. */
  prompt(userId: string, groupId: string): Promise<GroupPrompt | undefined>
}

/** The right of a run to act for its user, stored by auth. */
export interface Grants {
  create(runId: string, context: UserContext): Promise<string>
  /** `NOT_AUTHENTICATED` when the user's session or the grant has ended. */
  check(grantId: string): Promise<void>
  /** The name of its user. `NOT_AUTHENTICATED` as above. */
  userName(grantId: string): Promise<string | undefined>
  /** A token of at most 5 minutes. `NOT_AUTHENTICATED` when the user's session or the grant has ended. */
  issueToken(grantId: string): Promise<string>
}

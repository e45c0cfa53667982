import { Username } from '@youworker/contracts/auth'

/** The folded name, equal for names that look the same to people; `undefined` for an invalid username. */
export function usernameKey(username: string): string | undefined {
  return Username.safeParse(username).success ? username.normalize('NFKC').toLowerCase() : undefined
}

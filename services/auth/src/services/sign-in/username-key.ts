import { Username } from '@youworker/contracts/auth'

/** The folded name, equal for names that people take for the same; `undefined` for what cannot be a username. */
export function usernameKey(username: string): string | undefined {
  return Username.safeParse(username).success ? username.normalize('NFKC').toLowerCase() : undefined
}

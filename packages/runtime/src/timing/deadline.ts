import { AsyncLocalStorage } from 'node:async_hooks'

/** Epoch ms at which the request that is being served is over. */
const current = new AsyncLocalStorage<number | undefined>()

/** Runs `work` and all that it awaits with a deadline (epoch ms): what it begins may take no longer. */
export const before = <T>(deadline: number, work: () => T): T => current.run(deadline, work)

/** Runs `work` without the deadline of the request that began it, because others wait for it too. */
export const detached = <T>(work: () => T): T => current.run(undefined, work)

/** Ms until the deadline: infinite outside of a request, not above 0 when it has passed. */
export function timeLeft(): number {
  const deadline = current.getStore()
  return deadline === undefined ? Infinity : deadline - Date.now()
}

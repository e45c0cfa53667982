import { currentRequest, inRequest } from '../current-request.ts'

/** Runs `work` and all that it awaits with a deadline (epoch ms): what it begins may take no longer. */
export const before = <T>(deadline: number, work: () => T): T => inRequest({ deadline }, work)

/** Ms until the deadline: infinite outside of a request, not above 0 when it has passed. */
export function timeLeft(): number {
  const { deadline } = currentRequest()
  return deadline === undefined ? Infinity : deadline - Date.now()
}

import type { IncomingMessage } from 'node:http'
import { AppError } from '@youworker/contracts/errors'

export interface LeastRate {
  readonly bytesPerSecond: number
  /** How long a body may fall behind that rate, also at its beginning. A faster client saves up as much again for a pause. */
  readonly graceMs?: number
}

const GRACE_MS = 30_000
const CHECK_MS = 1_000

/**
 * Calls `reject` when a body arrives more slowly than it must, averaged over the grace. Only time in which this process waits for
 * the client counts, not that in which it stores what came. Returns a function that ends the watch.
 */
export function watchArrival(
  incoming: IncomingMessage,
  { bytesPerSecond, graceMs = GRACE_MS }: LeastRate,
  reject: (error: AppError) => void,
): () => void {
  let credit = graceMs
  let isOurs = false
  let checkedAt = performance.now()
  const onData = (bytes: Buffer) => {
    credit = Math.min(2 * graceMs, credit + (bytes.length / bytesPerSecond) * 1_000)
  }
  const onPause = () => {
    isOurs = true
  }
  const check = () => {
    const now = performance.now()
    // A check that comes late was held up by this process, too.
    if (!isOurs && !incoming.isPaused()) credit -= Math.min(now - checkedAt, 2 * CHECK_MS)
    checkedAt = now
    isOurs = incoming.isPaused()
    if (credit <= 0) reject(tooSlow(bytesPerSecond, graceMs))
  }
  const timer = setInterval(check, Math.min(CHECK_MS, graceMs / 2))
  incoming.on('data', onData).on('pause', onPause)
  return () => {
    clearInterval(timer)
    incoming.off('data', onData).off('pause', onPause)
  }
}

const tooSlow = (bytesPerSecond: number, graceMs: number) =>
  new AppError(
    'REQUEST_TIMEOUT',
    `The upload came at less than ${bytesPerSecond} bytes a second for ${graceMs / 1_000} s (API__MIN_UPLOAD_RATE); nothing was stored, send it again over a better connection`,
  )

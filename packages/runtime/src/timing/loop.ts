import { detached } from '../current-request.ts'

/** Repeats `turn` after the pause it returns, or at once when nudged; never twice at the same time. */
export interface Loop {
  readonly nudge: () => void
  /** Resolves when the running turn has ended. */
  stop(): Promise<void>
}

/** `turn` resolves to the pause before the next one, in ms, and never rejects. */
export function createLoop(turn: () => Promise<number>): Loop {
  let stopped = false
  let nudged = false
  let wake = () => {}
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  const run = async () => {
    while (!stopped) {
      nudged = false
      const ms = await turn()
      if (!stopped && !nudged) await pause(ms)
    }
  }
  // Whoever began or nudged it has a deadline of its own.
  const running = detached(run)
  return {
    nudge: () => {
      nudged = true
      wake()
    },
    stop: () => {
      stopped = true
      wake()
      return running
    },
  }
}

import { setTimeout as sleep } from 'node:timers/promises'

interface WaitOptions {
  /** Names the condition in the error message. */
  readonly what: string
  readonly timeoutMs?: number
}

type Truthy<T> = Exclude<T, undefined | null | false>

/** Calls `condition` every 20 ms until it returns a truthy value; an error counts as "not yet". */
export async function waitFor<T>(condition: () => T | Promise<T>, { what, timeoutMs = 30_000 }: WaitOptions): Promise<Truthy<T>> {
  const deadline = performance.now() + timeoutMs
  let failure: unknown
  while (performance.now() < deadline) {
    try {
      const value = await condition()
      if (value) return value as Truthy<T>
    } catch (error) {
      failure = error
    }
    await sleep(20)
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}`, { cause: failure })
}

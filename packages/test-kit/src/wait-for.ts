import { setTimeout as sleep } from 'node:timers/promises'

interface WaitOptions {
  /** What is waited for, for the message of the failure. */
  readonly what: string
  readonly timeoutMs?: number
}

type Truthy<T> = Exclude<T, undefined | null | false>

/** Asks every 20 ms until `condition` gives something truthy; errors of the condition count as "not yet". */
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
  throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: failure })
}

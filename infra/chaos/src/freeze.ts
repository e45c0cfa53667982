import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.ts'
import { startSystem } from './running-system.ts'
import { isFailure, newLedger, type Outcome, work } from './work.ts'

interface FreezeOptions {
  readonly target: 'nats' | 'postgres'
  readonly seconds: readonly number[]
  readonly times: number
}

const WORKERS = 8
const TASKS = ['groups', 'session', 'search', 'upload']
/** The system has this long to recover; the requests of the time after it are counted. */
const RECOVERY_MS = 10_000
const COUNTED_MS = 8_000
/** Every request ends within 10 s; the rest is for a busy machine. */
const LONGEST_MS = 12_000

/** Prints one line for each freeze. False when a request failed after the recovery, or one took too long at any time. */
export async function freeze(stack: AsyncDisposableStack, { target, seconds, times }: FreezeOptions): Promise<boolean> {
  const system = await startSystem(stack, ['--replicas', 'group=2,ingestion=2'])
  stack.defer(() => system.signal(target, 'SIGCONT').catch(() => {}))
  const answers: Outcome[] = []
  const stop = new AbortController()
  const load = { tasks: TASKS, stop: stop.signal, ledger: newLedger(), outcomes: answers }
  const clients = Array.from({ length: WORKERS }, () => new Client(system.api, system.key))
  const workers = Promise.all(clients.map((client) => work(client, load)))
  let failed = 0
  let counted = 0
  for (const length of seconds) {
    for (let trial = 1; trial <= times; trial += 1) {
      const from = answers.length
      for (const client of clients) client.longestMs = 0
      await system.signal(target, 'SIGSTOP')
      await sleep(length * 1_000)
      // The supervisor has started another one after 15 s of silence.
      await system.signal(target, 'SIGCONT').catch(() => {})
      await sleep(RECOVERY_MS)
      const recovered = performance.now()
      await sleep(COUNTED_MS)
      const all = answers.slice(from)
      const after = all.filter(({ at }) => at > recovered)
      const wrong = after.filter(isFailure)
      // A task may be several requests.
      const longest = Math.max(...clients.map(({ longestMs }) => longestMs))
      failed += wrong.length
      counted += after.length
      if (longest > LONGEST_MS) failed += 1
      const what = [...new Set(wrong.map(({ outcome }) => outcome))].join(', ')
      console.log(
        `${target} frozen ${length} s (${trial}/${times}): ${all.filter(isFailure).length} of ${all.length} failed meanwhile, ` +
          `longest ${(longest / 1_000).toFixed(1)} s, after recovery ${wrong.length} of ${after.length} failed ${what}`,
      )
    }
  }
  stop.abort()
  await workers
  console.log(`chaos freeze ${target}: ${failed} of ${counted} requests failed after recovery`)
  return failed === 0 && counted > 0
}

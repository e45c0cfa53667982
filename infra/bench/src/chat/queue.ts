import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isQuick, rounds } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { spread } from '../measuring/measure.ts'
import type { ApiUser } from '../api-user.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startOurs } from './sides.ts'

const QUEUED = isQuick ? 60 : 500
const AT_ONCE = 20
const ASKED = rounds(5)
/** The model takes 200 ms for an answer. */
const RULES = [{ reply: { text: wordsOf(20), tokens_per_second: 100 } }]
/** Where the others of one user wait: for the model, or also for a place in the agent. */
const PLACES = { 'for the model': '2000', 'for the agent': '8' } as const

/**
 * One user begins 500 runs of a model that answers one call at a time; another asks: how much later the answer is there than without them.
 * The ratio is alone / beside, where the runs wait for the model.
 */
export async function queue(stack: AsyncDisposableStack): Promise<number> {
  const ratios: number[] = []
  for (const [where, places] of Object.entries(PLACES)) {
    if (isQuick && ratios.length > 0) break
    await using system = stack.use(new AsyncDisposableStack())
    const env = { LLM__OLLAMA_CONCURRENCY: '1', AGENT__CONCURRENCY: places }
    const { system: ours, users } = await startOurs(system, { clients: 2, rules: RULES, env })
    const { alone, beside } = await delays(ours, users)
    ratios.push(median(alone) / median(beside))
    const [without, later] = [median(alone), beside.map((seconds) => seconds - median(alone))]
    console.log(`${QUEUED} runs of one user wait ${where}: the answer of another, ${without.toFixed(2)} s alone, is`)
    console.log(`  ${spread(later)} s later, the latest of ${ASKED} ${Math.max(...later).toFixed(2)} s`)
  }
  return ratios[0] ?? Number.NaN
}

async function delays({ url, clients }: Side, [crowd]: readonly ApiUser[]) {
  const agent = new Agent({ keepAlive: true })
  const [, headers = {}] = clients
  const askOnce = async () => {
    const started = performance.now()
    await ask({ url, headers, agent })
    return (performance.now() - started) / 1_000
  }
  const askAgain = async () => {
    const seconds: number[] = []
    for (let n = 0; n < ASKED; n += 1) seconds.push(await askOnce())
    return seconds
  }
  await askOnce()
  const alone = await askAgain()
  let begun = 0
  const begin = async () => {
    for (; begun < QUEUED;) {
      begun += 1
      await crowd?.post('/v1/responses', { model: 'youworker', background: true, input: 'Say some words.' })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, begin))
  // All are taken.
  await sleep(1_000)
  const beside = await askAgain()
  agent.destroy()
  return { alone, beside }
}

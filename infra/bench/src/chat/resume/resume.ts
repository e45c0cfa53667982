import { isQuick } from '../../measuring/effort.ts'
import { startOurs } from '../sides.ts'
import { seeded } from './random.ts'
import { ANSWER, TRIALS } from './trials.ts'

const TRIALS_IN_ALL = isQuick ? 25 : 500
const CLIENTS = 10
const SEED = 20_261_130
const SHOWN = 5
/** Each connection gets to the next one in turn: what was cut at one is resumed at the other. */
const TWO = isQuick ? [] : ['--replicas', 'gateway=2']
/** Slow enough to be cut in the middle. */
const RULES = [{ reply: { text: ANSWER, tokens_per_second: 600 } }]

interface ListOf {
  readonly total: number
}

/**
 * Answers that are cut at a random byte and resumed as their protocol has it, or asked for again with the same key where it has nothing:
 * the client has the same text, and the same events, as one that was never cut, and no run was begun twice. Throws when anything
 * differs. The ratio is that of the trials without a difference.
 */
export async function resume(stack: AsyncDisposableStack): Promise<number> {
  const { system, users } = await startOurs(stack, { clients: CLIENTS, rules: RULES, args: TWO })
  const names = Object.keys(TRIALS)
  const wrong: string[] = []
  const counts = new Map(names.map((name) => [name, 0]))
  let begun = 0
  const client = async (headers: Readonly<Record<string, string>>) => {
    while (begun < TRIALS_IN_ALL) {
      const n = begun++
      const name = names[n % names.length] ?? ''
      const random = seeded(SEED + n)
      const difference = await TRIALS[name]?.({ url: system.url, headers, random }).catch((error: unknown) => String(error))
      counts.set(name, (counts.get(name) ?? 0) + 1)
      if (difference !== undefined) wrong.push(`trial ${n}, ${name}: ${difference}`)
    }
  }
  await Promise.all(system.clients.map(client))
  const lists = await Promise.all(users.map((user) => user.get('/v1/sessions?limit=1')))
  // Each trial has a session of its own.
  const sessions = lists.reduce<number>((sum, list) => sum + (list as ListOf).total, 0)
  const told = [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
  console.log(
    `seed ${SEED}: ${TRIALS_IN_ALL} answers cut (${told}): ${wrong.length} differences, ${sessions - TRIALS_IN_ALL} runs begun twice`,
  )
  for (const one of wrong.slice(0, SHOWN)) console.log(`  ${one}`)
  if (wrong.length > 0 || sessions !== TRIALS_IN_ALL) throw new Error('An answer that was cut is not the same')
  return 1 - wrong.length / TRIALS_IN_ALL
}

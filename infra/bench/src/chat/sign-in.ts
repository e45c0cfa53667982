import { Agent, request } from 'node:http'
import { rounds, sliceMs } from '../measuring/effort.ts'
import { ApiUser } from '../api-user.ts'
import { median, percentile } from '../measuring/load.ts'
import { type Cost, measure, perSecond, printByProcess, spread } from '../measuring/measure.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startSides } from './sides.ts'

const CHATS = 50
const PEOPLE = 32
const TOKENS = 200
const RULES = [{ reply: { text: wordsOf(TOKENS), tokens_per_second: 20 } }]
const PASSWORD = 'correct horse battery staple'
const KEY_MS = sliceMs(4_000)
const ROUNDS = rounds(3)

/**
 * 32 people sign in with a password, again and again, while 50 answers of 20 tokens a second stream; then the same by API key, alone. The
 * ratio is that of the token gaps (99 %) without and with the sign-ins.
 */
export async function signIn(stack: AsyncDisposableStack): Promise<number> {
  const { system, endpoints } = await startSides(stack, { clients: CHATS, rules: RULES })
  const root = ApiUser.root(endpoints)
  for (let n = 0; n < PEOPLE; n += 1) await root.addUser(`person-${n}`, { password: PASSWORD })
  await chats(system)
  const gaps: number[] = []
  const byKeys: Cost[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const alone = await chats(system)
    const { beside, text } = await besideSignIns(system)
    gaps.push(beside / alone)
    byKeys.push(await byKey(system))
    console.log(`round ${round}: by password ${text}`)
    console.log(`  99 % of tokens within ${alone.toFixed(0)} ms of the one before, beside sign-ins ${beside.toFixed(0)} ms`)
  }
  console.log(`gap beside sign-ins / alone: ${spread(gaps)}`)
  console.log(`by API key: ${spread(byKeys.map(perSecond), 0)} a second`)
  printByProcess(byKeys, 'sign-in by key')
  return 1 / median(gaps)
}

async function besideSignIns(system: Side) {
  const stop = new AbortController()
  const started = performance.now()
  const people = Array.from({ length: PEOPLE }, (_, n) =>
    signInAgain(system.url, { username: `person-${n}`, password: PASSWORD }, stop.signal),
  )
  const beside = await chats(system)
  stop.abort()
  const statuses = (await Promise.all(people)).flat()
  const seconds = (performance.now() - started) / 1_000
  const good = statuses.filter((status) => status === 200).length
  const others = statuses.filter((status) => status !== 200)
  return { beside, text: `${(good / seconds).toFixed(0)} a second, ${good} good, others: ${others.join() || 'none'}` }
}

/** The longest gap of 99 % of the tokens. */
async function chats({ url, clients }: Side): Promise<number> {
  const agent = new Agent({ keepAlive: true })
  const all = await Promise.all(clients.map((headers) => ask({ url, headers, agent })))
  agent.destroy()
  const gaps = all.flatMap((times) => times.slice(1).map((time, n) => time - (times[n] ?? 0)))
  return percentile(gaps, 99)
}

const byKey = ({ url, clients, processes }: Side): Promise<Cost> =>
  measure(processes, async () => {
    const stop = AbortSignal.timeout(KEY_MS)
    const statuses = await Promise.all(clients.map((headers) => signInAgain(url, { api_key: headers['x-api-key'] }, stop)))
    return statuses.flat().filter((status) => status === 200).length
  })

async function signInAgain(url: string, body: Readonly<Record<string, unknown>>, stop: AbortSignal): Promise<number[]> {
  const agent = new Agent({ keepAlive: true })
  const statuses: number[] = []
  while (!stop.aborted) statuses.push(await post(`${url}/v1/auth/login`, body, agent))
  agent.destroy()
  return statuses
}

function post(url: string, body: unknown, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json' } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    call.on('error', reject).end(JSON.stringify(body))
  })
}

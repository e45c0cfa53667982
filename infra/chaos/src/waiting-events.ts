import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from './client.ts'
import { type RunningSystem, startSystem } from './running-system.ts'

interface WaitingEventsOptions {
  /** How many events wait, half for analytics and half for the audit trail. */
  readonly events: number
  readonly seconds: number
  readonly times: number
}

const AT_ONCE = 8
/** So long events have to leave the outbox before Postgres stops. */
const PUBLISH_MS = 3_000
const ARRIVAL_MS = 90_000

/**
 * Lets events wait for consumers that stand still, freezes Postgres before these go on, and compares analytics and audit with what
 * was acknowledged. Prints one line for each freeze.
 */
export async function waitingEvents(stack: AsyncDisposableStack, options: WaitingEventsOptions): Promise<boolean> {
  const { events, seconds, times } = options
  const system = await startSystem(stack, [])
  const client = new Client(system.api, system.key)
  let isWell = true
  for (let trial = 1; trial <= times; trial += 1) {
    const before = await countsOf(client)
    const acknowledged = await freezeWhileWaiting(system, client, options)
    const wanted = { sessions: before.sessions + acknowledged.sessions, groups: before.groups + acknowledged.groups }
    const found = await untilArrived(client, wanted)
    const deadLetters = await system.deadLetters()
    const differences = Math.abs(found.sessions - wanted.sessions) + Math.abs(found.groups - wanted.groups)
    if (differences > 0 || deadLetters > 0 || acknowledged.sessions + acknowledged.groups < events) isWell = false
    console.log(
      `postgres frozen ${seconds} s with ${acknowledged.sessions + acknowledged.groups} events waiting (${trial}/${times}): ` +
        `analytics ${found.sessions} sessions of ${wanted.sessions}, audit ${found.groups} groups of ${wanted.groups}, ` +
        `dead letters ${deadLetters}`,
    )
  }
  if (!isWell) console.log(`failed; the logs are in ${await system.keepLogs()}`)
  return isWell
}

async function freezeWhileWaiting(system: RunningSystem, client: Client, { events, seconds }: WaitingEventsOptions) {
  const consumers = ['analytics.1', 'auth.1']
  const thaw = async (name: string) => system.signal(name, 'SIGCONT').catch(() => {})
  try {
    for (const name of consumers) await system.signal(name, 'SIGSTOP')
    const half = Math.ceil(events / 2)
    const sessions = await acknowledged(half, () => client.call('POST', '/v1/sessions', { title: 'waiting' }))
    const groups = await acknowledged(half, () => client.call('POST', '/v1/groups', { name: crypto.randomUUID() }))
    await sleep(PUBLISH_MS)
    await system.signal('postgres', 'SIGSTOP')
    await Promise.all(consumers.map(thaw))
    await sleep(seconds * 1_000)
    return { sessions, groups }
  } finally {
    // The supervisor may have started another Postgres by then.
    await Promise.all(['postgres', ...consumers].map(thaw))
  }
}

/** Sends so many requests, a few at a time, and counts those that were taken. */
async function acknowledged(count: number, send: () => Promise<{ status: number }>): Promise<number> {
  let left = count
  let taken = 0
  const one = async () => {
    while (left-- > 0) {
      const { status } = await send()
      if (status < 300) taken += 1
      else console.log(`  a request was answered ${status}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return taken
}

/** What analytics and the audit trail know, which they have from events only. */
async function countsOf(client: Client): Promise<{ sessions: number; groups: number }> {
  const overview = await client.calmly('GET', '/v1/analytics/overview')
  let groups = 0
  for (let before: string | undefined; ;) {
    const page = `/v1/admin/audit?action=group.create&limit=200${before === undefined ? '' : `&before=${before}`}`
    const { status, body } = await client.calmly('GET', page)
    if (status !== 200) throw new Error(`GET ${page}: ${status} ${JSON.stringify(body)}`)
    groups += body.entries.length
    if (body.next === null || body.next === undefined) break
    before = String(body.next)
  }
  return { sessions: overview.body?.sessions?.total ?? 0, groups }
}

/** Waits until both know what they should, or for a last time what they know. */
async function untilArrived(client: Client, wanted: { sessions: number; groups: number }) {
  for (const until = Date.now() + ARRIVAL_MS; ; await sleep(1_000)) {
    const found = await countsOf(client)
    if ((found.sessions >= wanted.sessions && found.groups >= wanted.groups) || Date.now() > until) return found
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './client.ts'
import type { RunningSystem } from './running-system.ts'
import type { Ledger } from './work.ts'

/** Work is stuck when for so long none of it has ended. */
const STUCK_MS = 60_000
const EVENTS_MS = 60_000
const ENDED = new Set(['success', 'partial', 'failed', 'cancelled'])

interface Count {
  readonly of: number
  readonly lost: number
  readonly doubled: number
  readonly stuck: number
}

/** Prints the counts and returns whether all is well; when not, keeps the logs. */
export async function conclude(client: Client, system: RunningSystem, ledger: Ledger, isWell: boolean): Promise<boolean> {
  const passed = (await account(client, system, ledger)) && isWell
  if (!passed) console.log(`failed; the logs are in ${await system.keepLogs()}`)
  return passed
}

/** Compares what was acknowledged with what is there, prints the counts, and returns whether nothing is missing, double or stuck. */
async function account(client: Client, system: RunningSystem, ledger: Ledger): Promise<boolean> {
  const counts = {
    documents: await countDocuments(client, ledger),
    answers: await countAnswers(client, ledger),
    sessions: await countSessions(client, ledger),
  }
  for (const [what, { of, lost, doubled, stuck }] of Object.entries(counts)) {
    console.log(`${what}: lost ${lost} of ${of}, doubled ${doubled} of ${of}, stuck ${stuck} of ${of}`)
  }
  const differences = await differencesOfAnalytics(client)
  const deadLetters = await system.deadLetters()
  console.log(`events: ${differences.length} of 2 totals of analytics differ${differences.map((line) => `; ${line}`).join('')}`)
  console.log(`dead letters: ${deadLetters}`)
  const isClean = Object.values(counts).every(({ of, lost, doubled, stuck }) => of > 0 && lost + doubled + stuck === 0)
  return isClean && differences.length === 0 && deadLetters === 0
}

async function countDocuments(client: Client, { uploads }: Ledger): Promise<Count> {
  let [lost, stuck, doubled] = [0, 0, 0]
  const ended = new Set<string>()
  for (const run_id of uploads.keys()) {
    const run = await untilEnded(client, `/v1/ingestion-runs/${run_id}`)
    if (run === 'stuck') stuck += 1
    else if (run?.status === 'success') ended.add(run_id)
    else {
      lost += 1
      console.log(`  ingestion ${run_id}: ${run?.status ?? 'gone'} ${run?.errors?.join('; ') ?? ''}`)
    }
  }
  const documents = await client.list('/v1/documents', 'documents')
  for (const [run_id, name] of uploads) {
    const found = documents.filter(({ path }: { path: string }) => path.endsWith(name)).length
    if (found > 1) doubled += 1
    if (found === 0 && ended.has(run_id)) {
      lost += 1
      console.log(`  no document ${name}`)
    }
  }
  return { of: uploads.size, lost, doubled, stuck }
}

async function countAnswers(client: Client, { chats }: Ledger): Promise<Count> {
  const count = { of: chats.length, lost: 0, doubled: 0, stuck: 0 }
  const statuses: Record<string, number> = {}
  for (const chat of chats) {
    const run = await untilEnded(client, `/v1/runs/${chat.run_id}`)
    if (run === 'stuck') {
      count.stuck += 1
      continue
    }
    statuses[run?.status ?? 'gone'] = (statuses[run?.status ?? 'gone'] ?? 0) + 1
    const { body } = await client.calmly('GET', `/v1/sessions/${chat.session_id}`)
    const messages: { role: string; content: string }[] = body?.messages ?? []
    const questions = messages.filter(({ role, content }) => role === 'user' && content === chat.question).length
    const answers = messages.filter(({ role, content }) => role === 'assistant' && content !== '')
    const { received } = chat
    // Delivered and stored must be the same, and the pieces of the stream must be the whole.
    const differs = received !== undefined && (received.text !== received.content || answers[0]?.content !== received.content)
    if (questions > 1 || answers.length > 1) count.doubled += 1
    if (questions === 0 || answers.length === 0 || differs) {
      count.lost += 1
      console.log(
        `  answer ${chat.run_id} (${run?.status}): ${questions} questions, ${answers.length} answers, differs: ${differs}`,
      )
    }
  }
  console.log(
    `answers ended as ${JSON.stringify(statuses)}; ${chats.filter(({ received }) => received).length} followed to their end`,
  )
  return count
}

async function countSessions(client: Client, { sessions }: Ledger): Promise<Count> {
  const ids = (await client.list('/v1/sessions', 'sessions')).map(({ external_id }: { external_id: string }) => external_id)
  const present = new Set(ids)
  const lost = sessions.filter((id) => !present.has(id)).length
  return { of: sessions.length, lost, doubled: ids.length - present.size, stuck: 0 }
}

/** Analytics knows everything from events only: a lost or doubled one shows there. */
async function differencesOfAnalytics(client: Client): Promise<string[]> {
  const wanted = {
    documents: (await client.list('/v1/documents', 'documents')).length,
    sessions: (await client.list('/v1/sessions', 'sessions')).length,
  }
  let differences: string[] = []
  for (const until = Date.now() + EVENTS_MS; Date.now() < until; await sleep(1_000)) {
    const { body } = await client.calmly('GET', '/v1/analytics/overview')
    differences = Object.entries(wanted)
      .filter(([name, total]) => body?.[name]?.total !== total)
      .map(([name, total]) => `${name} ${body?.[name]?.total}, truth ${total}`)
    if (differences.length === 0) break
  }
  return differences
}

/** The ended run (of chat or ingestion, as the caller knows), `stuck`, or undefined when there is no such run. */
// Read only where the shape is known, as `Reply` is.
// oxlint-disable-next-line typescript/no-explicit-any
async function untilEnded(client: Client, path: string): Promise<any> {
  for (const until = Date.now() + STUCK_MS; ;) {
    const { status, body } = await client.calmly('GET', path)
    if (status === 404) return undefined
    if (status === 200 && ENDED.has(body.status)) return body
    if (Date.now() > until) return 'stuck'
    await sleep(250)
  }
}

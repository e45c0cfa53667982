import { setTimeout as sleep } from 'node:timers/promises'
import { AnswerReader, FOLLOW_MS } from './answer-reader.ts'
import type { Client } from './client.ts'

/** What the system has acknowledged, and therefore owes. */
export interface Ledger {
  /** Names by id of the run that was accepted. */
  readonly uploads: Map<string, string>
  readonly sessions: string[]
  readonly chats: Chat[]
}

interface Chat {
  readonly run_id: string
  readonly session_id: string
  readonly question: string
  /** What the client pieced together from the stream, and what the stream's end said; unset when it was not followed to its end. */
  received?: { readonly text: string; readonly content: string; readonly status: string }
}

export interface Outcome {
  readonly what: string
  /** HTTP status, or why there was none. */
  readonly outcome: number | string
  /** When it came, in ms since this process began. */
  readonly at: number
}

const PAUSE_MS = 100
/** An ingestion is waited for this long before the next upload. */
const INGEST_MS = 20_000

export const newLedger = (): Ledger => ({ uploads: new Map(), sessions: [], chats: [] })
export const isFailure = ({ outcome }: Outcome): boolean => typeof outcome === 'string' || outcome >= 400

/** What failed how, each once. */
export const describe = (failures: readonly Outcome[]): string =>
  [...new Set(failures.map(({ what, outcome }) => ` ${what} ${outcome}`))].join(',')

type Task = (client: Client, ledger: Ledger) => Promise<number>

const TASKS: Readonly<Record<string, Task>> = {
  async groups(client) {
    return (await client.call('GET', '/v1/groups')).status
  },
  async search(client) {
    return (await client.call('POST', '/v1/search', { query: 'anything' })).status
  },
  async session(client, ledger) {
    const { status, body } = await client.call('POST', '/v1/sessions', { title: 'chaos' })
    if (status < 300) ledger.sessions.push(body.external_id)
    return status
  },
  async upload(client, ledger) {
    const name = `${crypto.randomUUID()}.md`
    const { status, body } = await client.upload(name, `# Note\n\nThe word of this note is ${crypto.randomUUID()}.`)
    if (status !== 202) return status
    ledger.uploads.set(body.run_id, name)
    // Not faster than files are read: what is left when the load ends is to be over soon.
    for (const until = Date.now() + INGEST_MS; Date.now() < until; await sleep(500)) {
      const run = await client.call('GET', `/v1/ingestion-runs/${body.run_id}`).catch(() => undefined)
      if (run?.status === 200 && run.body.finished_at !== null) break
    }
    return status
  },
  chat,
}

/** Sends one kind of request after another until stopped; several may run side by side. */
export async function work(
  client: Client,
  { tasks, stop, ledger, outcomes }: { tasks: readonly string[]; stop: AbortSignal; ledger: Ledger; outcomes: Outcome[] },
): Promise<void> {
  for (let turn = 0; !stop.aborted; turn += 1) {
    const what = tasks[turn % tasks.length] ?? ''
    const outcome = await (TASKS[what]?.(client, ledger) ?? Promise.reject(new Error('no such task'))).catch((error: unknown) =>
      error instanceof Error ? error.name : String(error),
    )
    outcomes.push({ what, outcome, at: performance.now() })
    await sleep(PAUSE_MS)
  }
}

/** Asks, and follows the answer to its end, over as many streams as it takes. */
async function chat(client: Client, ledger: Ledger): Promise<number> {
  const question = `Which word is in the note ${crypto.randomUUID()}?`
  const body = JSON.stringify({ text_input: question })
  const response = await client.fetch(
    '/v1/chat',
    { method: 'POST', body, headers: { 'content-type': 'application/json' } },
    FOLLOW_MS,
  )
  if (!response.ok) {
    await response.arrayBuffer()
    return response.status
  }
  const reader = new AnswerReader()
  const cut = await reader.read(response)
  if (!reader.run) {
    if (cut) throw cut
    throw new Error('a stream without a run')
  }
  const entry: Chat = { ...reader.run, question }
  ledger.chats.push(entry)
  await reader.follow(client)
  if (reader.done) entry.received = { text: reader.text, ...reader.done }
  return response.status
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startMcpServer } from '@youworker/test-kit/mcp-server'
import { z } from 'zod'
import { AnswerReader, FOLLOW_MS } from './answer-reader.ts'
import { Client } from './client.ts'
import { killAtRandom, type KillOptions } from './kill.ts'
import { startSystem } from './running-system.ts'

interface ChatsOptions extends KillOptions {
  readonly chats: number
}

/** A script of the model has at most 1,000 rules, and each chat needs two. More chats than wanted run while the kills last. */
export const MOST_CHATS = 250
const AT_ONCE = 8
const WORDS = 60
const TAKEOVER_MS = 15_000

const questionOf = (n: number) => `Chat ${n}.`
const answerOf = (n: number) => Array.from({ length: WORDS }, (_, word) => `${n}-${word}`).join(' ')

/**
 * Chats with calls of two tools, one of them a foreign one that must not be called twice, while processes are killed at random. False
 * when an answer is lost, stuck or has another text, when a call was made twice, or when another worker took too long to go on.
 */
export async function chats(stack: AsyncDisposableStack, { chats: least, kills, seed }: ChatsOptions): Promise<boolean> {
  const made = new Map<string, number>()
  const tools = stack.use(await startMcpServer({ tools: [noteTool(made)] }))
  const system = await startSystem(stack, ['--replicas', 'gateway=2,chat-agent=2'], {
    env: {
      OFFLINE_MODEL__SCRIPT: await writeScript(stack),
      OFFLINE_MODEL__TOKENS_PER_SECOND: '60',
      LLM__OLLAMA_CONCURRENCY: String(AT_ONCE),
      MCP__SERVER_URLS: `notes=${tools.url}`,
      MCP__ALLOWED_TOOLS: 'notes/*',
    },
  })
  const client = new Client(system.api, system.key)
  let isKilling = true
  const killing = killAtRandom(system, { kills, seed }).finally(() => (isKilling = false))
  const readers: AnswerReader[] = []
  const ask = async () => {
    while (readers.length < (isKilling ? 2 * MOST_CHATS : least)) {
      const reader = new AnswerReader()
      await chat(client, reader, readers.push(reader))
    }
  }
  await Promise.all([killing, ...Array.from({ length: AT_ONCE }, ask)])
  const isWell = await report(client, { readers, made, kills, seed })
  if (!isWell) console.log(`failed; the logs are in ${await system.keepLogs()}`)
  return isWell
}

/** Neither read-only nor idempotent. */
const noteTool = (made: Map<string, number>) => ({
  name: 'note',
  description: 'Takes a note.',
  input: z.object({ chat: z.string() }),
  run: async ({ chat: of }: Record<string, unknown>) => {
    made.set(String(of), (made.get(String(of)) ?? 0) + 1)
    await sleep(200)
    return 'noted'
  },
})

async function writeScript(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-chaos-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const rules = Array.from({ length: 2 * MOST_CHATS }, (_, index) => index + 1).flatMap((n) => {
    const tool_calls = [{ name: 'current_datetime' }, { name: 'note', arguments: { chat: String(n) } }]
    const contains = questionOf(n)
    return [
      { match: { contains, last_role: 'user' }, reply: { tool_calls } },
      { match: { contains }, reply: { text: answerOf(n) } },
    ]
  })
  const path = join(dir, 'script.json')
  await writeFile(path, JSON.stringify({ rules }))
  return path
}

/** Asks until it is accepted, always with the same key, and follows the answer to its end. */
async function chat(client: Client, reader: AnswerReader, n: number): Promise<void> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': `chat-${n}` }
  const body = JSON.stringify({ text_input: questionOf(n) })
  for (const until = Date.now() + FOLLOW_MS; !reader.run && Date.now() < until;) {
    const response = await client.fetch('/v1/chat', { method: 'POST', body, headers }, FOLLOW_MS).catch(() => undefined)
    if (response?.ok) await reader.read(response)
    else await response?.arrayBuffer().catch(() => undefined)
    if (!reader.run) await sleep(250)
  }
  if (reader.run) await reader.follow(client)
}

interface Report extends KillOptions {
  readonly readers: readonly AnswerReader[]
  readonly made: ReadonlyMap<string, number>
}

async function report(client: Client, { readers, made, kills, seed }: Report): Promise<boolean> {
  const count = { lost: 0, stuck: 0, wrong: 0 }
  for (const [index, { run, done, text }] of readers.entries()) {
    const wanted = answerOf(index + 1)
    const { body } = await client.calmly('GET', `/v1/sessions/${run?.session_id}`)
    const messages: { role: string; content: string }[] = body?.messages ?? []
    const stored = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)
    const isLost = run === undefined || messages.filter(({ content }) => content === questionOf(index + 1)).length !== 1
    const isWrong = done && (text !== wanted || done.content !== wanted || stored.join('|') !== wanted)
    if (isLost) count.lost += 1
    else if (!done) count.stuck += 1
    else if (isWrong) count.wrong += 1
    else continue
    console.log(`  chat ${index + 1}, run ${run?.run_id}: ${done?.status}, ${JSON.stringify({ text, stored })}`)
  }
  const doubled = [...made.values()].filter((times) => times > 1).length
  const takeovers = readers.flatMap((reader) => reader.takeovers).toSorted((a, b) => a - b)
  const p95 = takeovers[Math.floor(takeovers.length * 0.95)] ?? 0
  console.log(
    `seed ${seed}, ${kills} kills, ${readers.length} chats: lost ${count.lost}, stuck ${count.stuck}, wrong texts ${count.wrong}, ` +
      `tool calls made twice ${doubled} of ${made.size}; ${takeovers.length} times another worker went on, 95 % within ${(p95 / 1_000).toFixed(1)} s`,
  )
  return count.lost + count.stuck + count.wrong + doubled === 0 && p95 <= TAKEOVER_MS
}

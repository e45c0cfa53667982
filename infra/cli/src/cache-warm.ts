import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { forTerminal } from '@youworker/runtime/text/text'
import { z } from 'zod'
import { SYSTEM_OPTIONS, SystemApi } from './system-api.ts'

const USAGE = 'Usage: npm run youworker -- cache warm FILE [--at-once N]'
const MAX_FILE = 16 * 1024 * 1024
const MAX_QUESTIONS = 10_000
const AT_ONCE = { usual: 4, most: 32 }
/** Of the `external_id` of sessions that it makes: the next time they make way. */
const MARK = 'cache-warm-'
const TITLE = 60
const TRIES = 8
const PAUSE_MS = 2_000
/** How long one answer may take. */
const ANSWER_MS = 10 * 60_000

const Session = z.object({ id: z.string(), external_id: z.string() })
const Sessions = z.object({ sessions: z.array(Session), next_after: z.string().nullish() })
const Made = Session.pick({ external_id: true })
const Answer = z.object({
  metadata: z.object({ status: z.string(), cached: z.boolean().optional(), error: z.string().optional() }),
})
const Going = z.object({ run_id: z.string() })
const Run = z.object({ status: z.string(), error: z.string().nullable() })

type Question = Readonly<Record<string, unknown>>
type Outcome = 'made' | 'kept' | 'failed'

/** Asks the questions of a file with `cache`, so that whoever has the key gets their answers at once for as long as those are kept. */
export async function warmCache(args: readonly string[]): Promise<void> {
  const options = { ...SYSTEM_OPTIONS, 'at-once': { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new Error(USAGE)
  const atOnce = Number(values['at-once'] ?? AT_ONCE.usual)
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > AT_ONCE.most)
    throw new Error(`--at-once is a whole number from 1 to ${AT_ONCE.most}`)
  // The folder in which the user typed the command: `npm run` changes it.
  const questions = readQuestions(await readText(resolve(process.env['INIT_CWD'] ?? '', file)))
  const system = await SystemApi.open(values, process.env, 'YOUWORKER_API_KEY')
  await deleteEarlier(system)
  const counts = await askAll(system, questions, atOnce)
  const { made, kept, failed } = counts
  print(`${made + kept} of ${questions.length} questions are answered: ${made} now, ${kept} had an answer; ${failed} failed.`)
  print('Their sessions are named "Cache warm"; the next cache warm deletes them, and the answers with them.')
  if (failed > 0) process.exitCode = 1
}

const print = (text: string) => console.log(forTerminal(text))

async function readText(path: string): Promise<string> {
  await using file = await open(path).catch((cause: unknown) => {
    throw new Error(`${path} cannot be read; name a file with one question a line`, { cause })
  })
  const { size } = await file.stat()
  if (size > MAX_FILE) throw new Error(`${path} is larger than ${MAX_FILE / 1024 / 1024} MiB; split it`)
  return file.readFile('utf8')
}

/** One a line: a question, or the JSON of what POST /v1/chat takes. */
function readQuestions(text: string): Question[] {
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }))
  const questions = lines.filter(({ line }) => line !== '').map(readQuestion)
  if (questions.length === 0) throw new Error('The file has no question; write one a line')
  if (questions.length > MAX_QUESTIONS) throw new Error(`The file has more than ${MAX_QUESTIONS} questions; split it`)
  return questions
}

function readQuestion({ line, number }: { readonly line: string; readonly number: number }): Question {
  if (!line.startsWith('{')) return { text_input: line }
  const question = parseObject(line)
  if (!question) throw new Error(`Line ${number} begins like JSON and is none`)
  const [refused] = ['session_id', 'messages'].filter((name) => name in question)
  if (refused !== undefined)
    throw new Error(`Line ${number} has ${refused}: each question begins a session here; leave it out and use text_input`)
  return question
}

function parseObject(line: string): Question | undefined {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(line))
  } catch {
    return undefined
  }
}

async function deleteEarlier(system: SystemApi): Promise<void> {
  const ids: string[] = []
  for (let after = ''; ;) {
    const page = Sessions.parse(await system.call('GET', `/v1/sessions?limit=100${after}`))
    ids.push(...page.sessions.filter(({ external_id }) => external_id.startsWith(MARK)).map(({ id }) => id))
    if (!page.next_after) break
    after = `&after=${encodeURIComponent(page.next_after)}`
  }
  for (const id of ids) await patiently(() => system.send('DELETE', `/v1/sessions/${id}?purge=true`))
}

async function askAll(system: SystemApi, questions: readonly Question[], atOnce: number): Promise<Record<Outcome, number>> {
  const counts = { made: 0, kept: 0, failed: 0 }
  const waiting = [...questions.entries()]
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, question] = next
      const outcome = await ask(system, question).catch((error: unknown) => {
        print(`Question ${index + 1}: ${error instanceof Error ? error.message : 'it failed'}`)
        return 'failed' as const
      })
      counts[outcome] += 1
      const done = counts.made + counts.kept + counts.failed
      if (done % 20 === 0 && done < questions.length) print(`${done} of ${questions.length}`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, questions.length) }, work))
  return counts
}

/** In a session of its own, whose first question it is for everybody else too. */
async function ask(system: SystemApi, question: Question): Promise<Outcome> {
  const title = `Cache warm: ${typeof question['text_input'] === 'string' ? question['text_input'] : 'messages'}`.slice(0, TITLE)
  const session = { external_id: `${MARK}${randomUUID()}`, title: title.toWellFormed().replace(/\p{Cc}/gu, ' ') }
  const { external_id: session_id } = Made.parse(await patiently(() => system.send('POST', '/v1/sessions', session)))
  const body = { ...question, session_id, cache: true, stream: false }
  const said = await patiently(() => system.send('POST', '/v1/chat', body))
  const answer = Answer.safeParse(said).data
  if (!answer) return waitFor(system, Going.parse(said).run_id)
  const { status, cached, error } = answer.metadata
  if (status !== 'success') throw new Error(error ?? `its answer is ${status}, which is not kept`)
  return cached ? 'kept' : 'made'
}

async function waitFor(system: SystemApi, runId: string): Promise<Outcome> {
  for (const until = performance.now() + ANSWER_MS; performance.now() < until; await sleep(PAUSE_MS)) {
    const { status, error } = Run.parse(await patiently(() => system.send('GET', `/v1/runs/${runId}`)))
    if (status === 'success') return 'made'
    if (status !== 'pending' && status !== 'running') throw new Error(error ?? `its answer is ${status}, which is not kept`)
  }
  throw new Error(`it has no answer after ${ANSWER_MS / 60_000} minutes`)
}

/** Asks again after a pause while the system says that it has too much to do. */
async function patiently(send: () => ReturnType<SystemApi['send']>): Promise<unknown> {
  for (let tries = 1; ; tries += 1) {
    const { isOk, status, body, message, retryAfterMs } = await send()
    if (isOk) return body
    if ((status !== 429 && status !== 503) || tries === TRIES) throw new Error(message)
    await sleep(retryAfterMs ?? PAUSE_MS)
  }
}

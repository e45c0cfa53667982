import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LIMITS } from '@youworker/contracts/limits'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { type Person, textOf } from './support/person.ts'

const ANSWER = 'One two three four five six seven eight nine ten eleven twelve.'
/** Rules of the model's script, by the words of the question that trigger them. A fault named `once` happens only at the first attempt. */
const FAULTS = {
  'stall once': { times: 1, reply: { text: ANSWER, stall_after: 5 } },
  'stall always': { reply: { text: ANSWER, stall_after: 2 } },
  'drop once': { times: 1, reply: { text: ANSWER, drop_after: 5 } },
  'drop always': { reply: { text: ANSWER, drop_after: 2 } },
  'drop before the first word': { times: 1, reply: { text: ANSWER, drop_after: 0 } },
  'malformed once': { times: 1, reply: { text: ANSWER, malformed_after: 5 } },
  'malformed always': { reply: { text: ANSWER, malformed_after: 2 } },
  'endless talk': { reply: { text: `${ANSWER} `, endless: true } },
  'broken once': { times: 1, reply: { status: 500 } },
  'broken always': { reply: { status: 500 } },
  'refused always': { reply: { status: 400 } },
  well: { reply: { text: ANSWER } },
}
type Fault = keyof typeof FAULTS

let dir: string
let system: TestSystem
let ada: Person
/** Sum of the tokens that all answers reported. */
let used = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-faults-'))
  const script = join(dir, 'script.json')
  const faults = Object.entries(FAULTS).map(([contains, rule]) => ({ match: { contains }, ...rule }))
  // The second attempt after a fault that happens once.
  const well = { match: { contains: 'once' }, reply: { text: ANSWER } }
  const first = { match: { contains: 'first word' }, reply: { text: ANSWER } }
  await writeFile(script, JSON.stringify({ rules: [...faults, well, first] }))
  // Longer than a busy machine needs for the first word: a model that is silent so long is away, which is no failed try.
  system = await startTestSystem({ script, env: { LLM__STALL_MS: '4000' } })
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** After each fault the next question is answered, at the latest when the circuit breaker closes. */
afterEach(async () => {
  await waitFor(async () => (await ask('well')).done.metadata.status === 'success', { what: 'a good answer' })
})

/** Asks a question and checks what holds for every run, failed or not. */
async function ask(fault: Fault) {
  const { events, done, runId, sessionId } = await ada.chat(`Please: ${fault}`)
  expect(events.filter(({ event }) => event === 'done')).toHaveLength(1)
  expect(events.at(-1)?.event).toBe('done')
  expect(textOf(events)).toBe(done.content)
  const { tokens_in, tokens_out } = done.metadata
  used += tokens_in + tokens_out

  const run = (await ada.get(`/v1/runs/${runId}`)).body
  expect(['success', 'failed']).toContain(run.status)
  const session = (await ada.get(`/v1/sessions/${sessionId}`)).body
  const { messages } = session
  // Neither the model's address nor its own words.
  expect(JSON.stringify({ events, run, session })).not.toMatch(/127\.0\.0\.1|http:|Ollama at|the script says/)
  const answers = messages.filter(({ role }: { role: string }) => role === 'assistant')
  expect(answers.map(({ content }: { content: string }) => content)).toEqual(done.content === '' ? [] : [done.content])
  // A replay ends in the same way.
  const replay = await ada.fetch(`/v1/runs/${runId}/events`)
  expect((await replay.text()).match(/^event: done$/gm)).toHaveLength(1)
  return { events, done, run }
}

test.concurrent.each<Fault>(['stall once', 'drop once', 'malformed once', 'drop before the first word', 'broken once'])(
  '%s: the same stream ends with the whole answer, without repetition',
  async (fault) => {
    const { events, done, run } = await ask(fault)
    expect([done.metadata.status, run.status]).toEqual(['success', 'success'])
    expect(done.content).toBe(ANSWER)
    const stages = events.map(
      ({ id, event, data }) => `${id} ${event} ${event === 'status' ? data.stage : event === 'log' ? data.msg : ''}`,
    )
    expect(stages).toContainEqual(expect.stringMatching(/status retrying/))
    expect(events.some(({ event }) => event === 'rewind')).toBe(true)
  },
)

test.concurrent.each<Fault>(['stall always', 'drop always', 'malformed always'])(
  '%s: the run fails, and the text so far is kept',
  async (fault) => {
    const { done, run } = await ask(fault)
    expect([done.metadata.status, run.status]).toEqual(['error', 'failed'])
    expect(done.metadata.error).toMatch(/model|Ollama/)
    expect(done.content.length).toBeGreaterThan(0)
    expect(ANSWER.startsWith(done.content)).toBe(true)
    expect(done.logs).toContainEqual(expect.objectContaining({ level: 'error', msg: done.metadata.error }))
  },
)

test.concurrent('without a stream a failed run is one JSON body with the error', async () => {
  const { status, body } = await ada.post('/v1/chat', { text_input: 'Please: drop always', stream: false })
  expect(status).toBe(200)
  expect(body).toMatchObject({ content: expect.stringMatching(/^One/), metadata: { status: 'error', error: expect.any(String) } })
  used += body.metadata.tokens_in + body.metadata.tokens_out
})

test('an endless answer is cut at LIMITS.answer and marked', async () => {
  const { done, run } = await ask('endless talk')
  expect(run.status).toBe('success')
  expect(done.content.length).toBeLessThanOrEqual(LIMITS.answer)
  expect(done.content).toMatch(/cut here/)
  expect(done.content.startsWith(`${ANSWER} ${ANSWER}`)).toBe(true)
})

test('HTTP 400 and 500 of the model give an error without text', async () => {
  for (const fault of ['refused always', 'broken always'] as const) {
    const { done, run } = await ask(fault)
    expect([done.metadata.status, run.status, done.content]).toEqual(['error', 'failed', ''])
    expect(done.metadata.error).toMatch(/The model (refused|failed|does not answer)/)
  }
})

test('what the model server said about a failure is in the log and, for root, in the run; users do not read it', async () => {
  const said = /the script says 400/
  const failures = ({ steps }: { steps: { said?: string }[] }) => steps.map((step) => step.said)
  const { run } = await ask('refused always')
  expect(failures(run)).toEqual([undefined])
  expect(system.logs()).toMatch(new RegExp(`"run":"${run.id}".*"said":"the script says 400"`))
  const { runId } = await system.root.chat('Please: refused always')
  expect(failures((await system.root.get(`/v1/runs/${runId}`)).body)).toEqual([expect.stringMatching(said)])
})

test('the overview counts each token once', async () => {
  expect(used).toBeGreaterThan(0)
  await waitFor(async () => (await ada.get('/v1/analytics/overview')).body.tokens?.total === used, { what: `${used} tokens` })
})

test('the log has the address of the model and its status', () => {
  expect(system.logs()).toContain(`Ollama at ${system.running.modelUrl}`)
  expect(system.logs()).toMatch(/answered 500/)
})

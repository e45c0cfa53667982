import { randomUUID } from 'node:crypto'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asAdmin, chat, chatDatabase, doneOf, entriesOf, type Replica, textOf } from '../../test-fixture.ts'
import { breaksOff, refuses, type Reply, says, startModel } from '../../test-model.ts'

const BEGUN = 'The moon orbits the earth in about twenty-seven'
const ANSWER = `${BEGUN} days, and it always shows the same face.`
const COUNTS = { prompt_eval_count: 40, eval_count: 20 }

let fixture: Awaited<ReturnType<typeof chatDatabase>>
beforeAll(async () => {
  fixture = await chatDatabase()
})
afterAll(() => fixture?.[Symbol.asyncDispose]())

const envOf = ({ url }: { url: string }, env: Record<string, string> = {}) => ({ LLM__OLLAMA_BASE_URL: url, ...env })
const replicaOf = (model: { url: string }, env: Record<string, string> = {}) => fixture.replica(envOf(model, env))

async function start(replica: Replica) {
  const user = randomUUID()
  const input = chat({ text_input: 'Tell me about the moon.', enable_tools: false })
  return { user, ...(await replica.services.startRun.start(input, testUserContext(user))) }
}
type Started = Awaited<ReturnType<typeof start>>

async function end(replica: Replica, { user, run_id, session_id }: Started) {
  const done = await doneOf(replica, user, run_id)
  const entries = await entriesOf(replica, user, run_id)
  expect(textOf(entries)).toBe(done.content)
  const run = await replica.services.runs.get(user, run_id)
  const { tokens_in, tokens_out } = done.metadata
  expect(run.usage).toMatchObject({ tokens_in, tokens_out })
  const { messages } = await replica.services.sessions.messages(user, session_id)
  const stages = entries.flatMap(({ body }) => (body.event === 'status' ? [body.data.stage] : []))
  return { user, run_id, done, entries, run, stages, answer: messages.find(({ role }) => role === 'assistant') }
}
const ask = async (replica: Replica) => end(replica, await start(replica))
const untilWaiting = (replica: Replica, { user, run_id }: Started) =>
  waitFor(
    async () =>
      (await entriesOf(replica, user, run_id)).some(
        ({ body }) => body.event === 'status' && body.data.stage === 'waiting_for_model',
      ),
    { what: 'a status that the run waits for the model' },
  )

test('a model that is away is waited for within the run', async () => {
  await using model = await startModel(says(ANSWER, COUNTS))
  await model.stop()
  await using replica = replicaOf(model)
  const started = await start(replica)
  await untilWaiting(replica, started)
  await model.start()
  const { done, run } = await end(replica, started)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success' } })
  expect(run.attempt).toBe(1)
})

test('a model that is loading is waited for; nothing that it did not answer is counted', async () => {
  const loading = refuses(503, 'Loading model')
  await using model = await startModel(loading, loading, loading, loading, says(ANSWER, COUNTS))
  await using replica = replicaOf(model)
  const { done, run, stages } = await ask(replica)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success', tokens_in: 40, tokens_out: 20 } })
  expect([run.attempt, stages.filter((stage) => stage === 'waiting_for_model').length]).toEqual([1, 1])
})

test('after that time the run fails, and is not tried again', async () => {
  await using model = await startModel()
  await model.stop()
  await using replica = replicaOf(model, { LLM__WAIT_MS: '700' })
  const { done, run, stages } = await ask(replica)
  expect(done).toMatchObject({ content: '', metadata: { status: 'error', error: expect.stringContaining('cannot be reached') } })
  expect([run.status, run.attempt, stages.filter((stage) => stage === 'waiting_for_model').length]).toEqual(['failed', 1, 1])
})

test('a model that is silent before its first word is asked again, not for longer than that time', async () => {
  await using model = await startModel(() => {})
  await using replica = replicaOf(model, { LLM__STALL_MS: '300', LLM__WAIT_MS: '1000' })
  const { done, run } = await ask(replica)
  expect(done.metadata).toMatchObject({ status: 'error', tokens_in: 0, tokens_out: 0 })
  expect([run.attempt, model.asked() > 1]).toEqual([1, true])
})

test('stop ends a run that waits for its model, also while that holds the connection', async () => {
  for (const env of [{ LLM__WAIT_MS: '600000', LLM__STALL_MS: '100' }, { LLM__STALL_MS: '600000' }]) {
    await using model = await startModel(() => {})
    await using replica = replicaOf(model, env)
    const started = await start(replica)
    await waitFor(() => model.asked() > 0, { what: 'a call of the model' })
    await replica.services.runs.stop(started.user, started.run_id)
    expect((await end(replica, started)).done.metadata.status).toBe('stopped')
  }
})

test('crashes of the agent do not use up the tries of the model, nor the other way round', async () => {
  await using model = await startModel(breaksOff(BEGUN), breaksOff(' days'), says(`${ANSWER}`))
  await using waiting = fixture.replica(envOf(model), { worker: false })
  const started = await start(waiting)
  // As after four attempts whose process died; the job has five.
  await asAdmin(fixture.adminUrl, `update chat_agent.jobs set attempt = 4 where id = '${started.run_id}'`)
  await using replica = replicaOf(model)
  const { done, run } = await end(replica, started)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success' } })
  expect(run.steps.map(({ status }) => status)).toEqual(['failed', 'failed', 'success'])
})

test('a model that ignores the text it was given to continue repeats nothing', async () => {
  await using model = await startModel(breaksOff(BEGUN), breaksOff(ANSWER.slice(0, 20)), says(ANSWER))
  await using replica = replicaOf(model)
  const { done, answer } = await ask(replica)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success' } })
  expect(answer?.content).toBe(ANSWER)
})

const blank = says(' \n ')

test('an empty answer is tried again', async () => {
  await using model = await startModel(blank, says(ANSWER, COUNTS))
  await using replica = replicaOf(model)
  expect((await ask(replica)).done).toMatchObject({ content: ANSWER, metadata: { status: 'success' } })
})

test('an answer that stays empty is an error', async () => {
  const thinking: Reply = ({ line, end: finish }) => {
    line({ message: { role: 'assistant', content: '', thinking: 'Let me think about it.' }, done: false })
    finish(COUNTS)
  }
  await using model = await startModel(blank, thinking, thinking)
  await using replica = replicaOf(model)
  const { done, answer, run } = await ask(replica)
  expect(done).toMatchObject({ content: '', metadata: { status: 'error', error: expect.stringContaining('empty answer') } })
  expect([run.status, model.asked(), answer]).toEqual(['failed', 3, undefined])
  expect(done.metadata.tokens_out).toBeGreaterThanOrEqual(40)
})

test('an answer that was whole when the connection broke is whole', async () => {
  await using model = await startModel(breaksOff(ANSWER), says(''))
  await using replica = replicaOf(model)
  expect((await ask(replica)).done).toMatchObject({ content: ANSWER, metadata: { status: 'success' } })
})

test('a failed answer counts its tokens: those of the model, or estimates that are marked', async () => {
  const gives: Reply = ({ text, line, response }) => {
    text(BEGUN)
    line({ error: 'CUDA error: out of memory' })
    response.end()
  }
  await using model = await startModel(gives, gives, says(ANSWER, COUNTS))
  await using replica = replicaOf(model)
  const { done, run, answer } = await ask(replica)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success', tokens_estimated: true } })
  expect(done.metadata.tokens_out).toBe(20 + 2 * countTokens(BEGUN))
  expect(done.metadata.tokens_in).toBeGreaterThan(40)
  expect(answer?.tokens_out).toBe(done.metadata.tokens_out)
  expect(run.usage.estimated).toBe(true)
})

test('tokens that the model counted are not marked', async () => {
  await using model = await startModel(says(ANSWER, COUNTS))
  await using replica = replicaOf(model)
  const whole = await ask(replica)
  expect([whole.done.metadata.tokens_out, whole.done.metadata.tokens_estimated, whole.run.usage.estimated]).toEqual([
    20,
    undefined,
    undefined,
  ])
})

test('a stopped answer counts its tokens', async () => {
  await using model = await startModel(({ text }) => text(BEGUN))
  await using replica = replicaOf(model)
  const started = await start(replica)
  const hasText = async () => textOf(await entriesOf(replica, started.user, started.run_id)) !== ''
  await waitFor(hasText, { what: 'some text' })
  await replica.services.runs.stop(started.user, started.run_id)
  const { done, run } = await end(replica, started)
  expect(done).toMatchObject({ content: BEGUN, metadata: { status: 'stopped', tokens_out: countTokens(BEGUN) } })
  expect(run.steps.map(({ status }) => status)).toEqual(['stopped'])
})

test('a cut answer counts its tokens', async () => {
  await using model = await startModel(says('word '.repeat(30_000)))
  await using replica = replicaOf(model)
  const cut = (await ask(replica)).done.metadata
  expect(cut).toMatchObject({ status: 'success', tokens_estimated: true })
  expect(cut.tokens_out).toBeGreaterThan(10_000)
})

test('an answer whose agent died counts once, however often its run changes hands', async () => {
  await using model = await startModel(
    ({ text }) => text(BEGUN),
    () => {},
    says(ANSWER, COUNTS),
  )
  await using first = replicaOf(model)
  const started = await start(first)
  const hasText = async () => textOf(await entriesOf(first, started.user, started.run_id)) !== ''
  await waitFor(hasText, { what: 'some text' })
  await first.die()
  const second = replicaOf(model)
  await waitFor(() => model.asked() === 2, { what: 'the call of the second replica' })
  await second[Symbol.asyncDispose]()
  await using third = replicaOf(model)
  const { done, run } = await end(third, started)
  expect(done).toMatchObject({ content: ANSWER, metadata: { status: 'success', tokens_estimated: true } })
  expect(done.metadata.tokens_out).toBe(20 + countTokens(BEGUN))
  expect(run.steps.map(({ status }) => status)).toEqual(['interrupted', 'interrupted', 'success'])
})

test('what the model server says about its failure is kept for root, without secrets and without the conversation', async () => {
  const said =
    'boom \u001b[31m at https://me:hunter2@gpu.internal/v1: cannot render "Tell me about the moon." Authorization: Bearer abc.def'
  await using model = await startModel(refuses(500, said))
  await using replica = replicaOf(model)
  const { user, run_id, run, entries } = await ask(replica)
  expect(run.steps.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed'])
  expect(JSON.stringify(run.steps)).not.toContain('boom')
  const steps = (await replica.services.runs.get(user, run_id, true)).steps
  expect(steps[2]?.said).toBe('boom [31m at https://[…]gpu.internal/v1: cannot render "[…]" Authorization: Bearer […]')
  expect(entries.filter(({ body }) => body.event === 'done')).toHaveLength(1)
  const rows = await asAdmin<{ said: Buffer }>(
    fixture.adminUrl,
    `select said from chat_agent.unfinished_calls where run_id = '${run_id}'`,
  )
  expect(rows.map((row) => row.said.toString('latin1').includes('boom'))).toEqual([false, false, false])
})

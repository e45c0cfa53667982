import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, Person } from '../support/person.ts'
import { startTestSystem, type TestSystem } from '../support/system.ts'

const DEADLINE_MS = 3_000
let system: TestSystem
let ada: Person

beforeAll(async () => {
  // No answer of this model comes within the deadline.
  system = await startTestSystem({ tokensPerSecond: 4, env: { API__DEADLINE_MS: String(DEADLINE_MS) } })
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const ask = (path: string, headers: Record<string, string> = {}) =>
  ada.post(path, { text_input: 'Hello', message: 'Hello', stream: false }, headers)

function expectAccepted({ status, headers, body }: Answer, applied: string | null) {
  expect([status, body]).toMatchObject([202, { run_id: expect.any(String), session_id: expect.any(String) }])
  expect(headers.get('location')).toBe(`/v1/runs/${body.run_id}`)
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  expect(headers.get('preference-applied')).toBe(applied)
}

test.each(['/v1/chat', '/v1/unified-chat', '/v1/simple-chat'])(
  '%s answers 202 when the answer is not there in time',
  async (path) => {
    expectAccepted(await ask(path), null)
    expectAccepted(await ask(path, { prefer: 'wait=1' }), 'wait=1')
    expectAccepted(await ask(path, { prefer: 'respond-async' }), 'respond-async')
  },
)

test.each([
  ['more than there is time', 'wait=600', 'wait=2'],
  ['quoted, with a parameter and among others', 'handling=lenient, Wait = "1"; x=y', 'wait=1'],
  ['repeated', 'wait=0, wait=2', 'wait=0'],
  ['not a number', 'wait=soon', null],
  ['negative', 'wait=-1', null],
  ['within quotes of another one', 'note="a, wait=0"', null],
])('Prefer: %s', async (_, prefer, applied) => {
  expectAccepted(await ask('/v1/chat', { prefer }), applied)
})

test('the run goes on: its page has the answer, and a repeat with the same key waits for the same run', async () => {
  const key = { 'idempotency-key': 'patient', prefer: 'wait=0' }
  const first = await ask('/v1/chat', key)
  expectAccepted(first, 'wait=0')
  expect((await ada.get(`/v1/runs/${first.body.run_id}`)).body).toMatchObject({ answer: null })
  const answered = await waitFor(
    async () => {
      const again = await ask('/v1/chat', key)
      expect(again.body.run_id).toBe(first.body.run_id)
      return again.status === 200 && again
    },
    { what: 'the answer', timeoutMs: 80_000 },
  )
  expect(answered.headers.get('preference-applied')).toBe('wait=0')
  expect(answered.body).toMatchObject({ content: expect.stringMatching(/./), metadata: { status: 'success' } })
  const run = await ada.get(new URL(first.headers.get('location') ?? '', ada.api).pathname)
  expect(run.body).toMatchObject({ status: 'success', answer: { content: answered.body.content } })
})

test('an upload that is not ingested in time answers 202, and its run ends', async () => {
  // Each file is read by a process of its own, which takes a tenth of a second at least.
  const files = Array.from({ length: 80 }, (_, n) => ({ name: `${n}.md`, content: `# Note ${n}\n\nFact ${n}.` }))
  const { status, headers, body } = await ada.upload(files)
  expect([status, body]).toEqual([202, { run_id: expect.any(String) }])
  const run = async () => (await ada.get(headers.get('location') ?? '')).body
  await waitFor(async () => (await run()).status === 'success', { what: 'the end of the run', timeoutMs: 200_000 })
}, 240_000)

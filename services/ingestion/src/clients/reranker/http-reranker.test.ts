import { startRerankServer, type TestRerankServer } from '@youworker/test-kit/models/rerank-server'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHttpReranker } from './http-reranker.ts'
import { RERANK_KINDS, type RerankKind } from './rerank-protocols.ts'

const TEXTS = ['about cats', 'about dogs and their long walks', 'nothing']
const signal = new AbortController().signal
let server: TestRerankServer
beforeAll(async () => void (server = await startRerankServer()))
beforeEach(() => Object.assign(server, { mood: 'well', scoreOf: (_query: string, text: string) => text.length / 100 }))
afterAll(() => server[Symbol.asyncDispose]())

function rerankerOf(kind: RerankKind, more: { model?: string; apiKey?: string } = {}) {
  const url = `${server.origin}${kind === 'rerank' ? '/v1' : ''}`
  return createHttpReranker({ kind, url, model: 'm', apiKey: undefined, candidates: 50, timeoutMs: 5_000, ...more })
}
const ask = (kind: RerankKind, texts: readonly string[] = TEXTS, timeoutMs = 5_000) =>
  rerankerOf(kind).rerank('dogs?', texts, { signal, timeoutMs })

test.each(RERANK_KINDS)('%s gives each text its score, in the order of the texts', async (kind) => {
  const share = kind === 'chat' ? 10 : 1
  expect(await ask(kind)).toEqual(TEXTS.map((text) => text.length / 100 / share))
  expect(server.asked.at(-1)).toMatchObject({ query: 'dogs?', texts: TEXTS })
  server.mood = 'half'
  expect(await ask(kind)).toEqual([expect.any(Number), expect.any(Number), undefined])
})

test('the key is sent as a bearer token, and a server with one model needs no name', async () => {
  await rerankerOf('rerank', { apiKey: 'k-1' }).rerank('q', TEXTS, { signal, timeoutMs: 5_000 })
  expect(server.asked.at(-1)).toMatchObject({ path: '/v1/rerank', authorization: 'Bearer k-1', model: 'm' })
})

test('text-embeddings-inference gets at most 32 texts at a time', async () => {
  const texts = Array.from({ length: 80 }, (_, n) => 'x'.repeat(n))
  const before = server.asked.length
  expect(await ask('tei', texts)).toEqual(texts.map((text) => text.length / 100))
  expect(server.asked.slice(before).map((asked) => asked.texts.length)).toEqual([32, 32, 16])
})

test.each([
  ['nonsense', 'SERVICE_UNAVAILABLE'],
  ['unknown', 'SERVICE_UNAVAILABLE'],
  ['huge', 'SERVICE_UNAVAILABLE'],
  ['hang', 'SERVICE_UNAVAILABLE'],
  [500, 'SERVICE_UNAVAILABLE'],
  [503, 'SERVICE_UNAVAILABLE'],
  [429, 'SERVICE_UNAVAILABLE'],
  [401, 'LLM_ERROR'],
  [404, 'LLM_ERROR'],
] as const)('a server that answers with %s is %s, without its words', async (mood, code) => {
  server.mood = mood
  const failed = ask('rerank', TEXTS, 300)
  await expect(failed).rejects.toMatchObject({ code, message: expect.not.stringContaining('secret') })
})

test('a server that is down is left alone after five failures', async () => {
  server.mood = 500
  const reranker = rerankerOf('rerank')
  for (let n = 0; n < 5; n += 1)
    await expect(reranker.rerank('q', TEXTS, { signal, timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  const before = server.asked.length
  await expect(reranker.rerank('q', TEXTS, { signal, timeoutMs: 5_000 })).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' })
  expect(server.asked).toHaveLength(before)
})

test('who asked may stop waiting', async () => {
  server.mood = 'hang'
  const stop = new AbortController()
  const asked = rerankerOf('rerank').rerank('q', TEXTS, { signal: stop.signal, timeoutMs: 60_000 })
  stop.abort(new Error('gone'))
  await expect(asked).rejects.toThrow('gone')
})

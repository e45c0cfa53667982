import { startRerankServer, type TestRerankServer } from '@youworker/test-kit/models/rerank-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const CANDIDATES = 10
const DOCUMENTS = Array.from({ length: 14 }, (_, n) => ({
  name: `boat-${n}.md`,
  content: `${'The boat. '.repeat(14 - n)}It has the number ${n * 7_919} and lies at pier ${n}.`,
}))
let reranker: TestRerankServer
let system: TestSystem
let ada: Person

beforeAll(async () => {
  reranker = await startRerankServer()
  const env = {
    LLM__RERANK_KIND: 'rerank',
    LLM__RERANK_BASE_URL: `${reranker.origin}/v1/`,
    LLM__RERANK_MODEL: 'cross-1',
    LLM__RERANK_API_KEY: 'rerank-key-71',
    LLM__RERANK_TIMEOUT_MS: '600',
    LLM__RERANK_CANDIDATES: String(CANDIDATES),
  }
  system = await startTestSystem({ env })
  ada = await system.newPerson('ada')
  await ada.upload(DOCUMENTS)
}, 120_000)
afterEach(() => void (reranker.mood = 'well'))
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await reranker?.[Symbol.asyncDispose]()
})

const numberIn = (text: string) => Number(/number (\d+)/.exec(text)?.[1])
const search = async (more: object = {}) => {
  const { status, body } = await ada.post('/v1/search', { query: 'boat', mode: 'lexical', top_k: 5, ...more })
  expect(status).toBe(200)
  return { ...body, titles: body.results.map(({ title }: { title: string }) => title) }
}

test('the best hits stand in the order of the reranker, page by page, and the others behind them as before', async () => {
  const before = await search({ rerank: false, top_k: 14 })
  expect(before).not.toHaveProperty('rerank')
  reranker.scoreOf = (_query, text) => numberIn(text) / 10_000 - 5
  const first = await search()
  expect(first.rerank).toMatchObject({ outcome: 'reranked', candidates: CANDIDATES })
  expect(reranker.asked.at(-1)).toMatchObject({ model: 'cross-1', authorization: 'Bearer rerank-key-71', query: 'boat' })
  const best = before.titles.slice(0, CANDIDATES)
  const wanted = best.toSorted((a: string, b: string) => Number(b.slice(5, -3)) - Number(a.slice(5, -3)))
  const asked = reranker.asked.length
  const pages = [first, await search({ offset: 5 }), await search({ offset: 10 })]
  expect(pages.flatMap(({ titles }) => titles)).toEqual([...wanted, ...before.titles.slice(CANDIDATES)])
  expect(pages[2]).not.toHaveProperty('rerank')
  expect(reranker.asked).toHaveLength(asked + 1)
  const scores = pages.flatMap(({ results }) => results.map(({ score }: { score: number }) => score))
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  expect(scores.every((score) => score > 0 && score <= 1)).toBe(true)
  expect(first.results[0]).toMatchObject({ rerank_score: expect.any(Number), lexical_score: expect.any(Number) })
})

test('a question with one hit or none is put to no reranker', async () => {
  const asked = reranker.asked.length
  expect((await search({ query: 'zebra' })).results).toEqual([])
  expect((await search({ query: String(3 * 7_919) })).titles).toEqual(['boat-3.md'])
  expect(reranker.asked).toHaveLength(asked)
})

test('an explanation shows the ranks and scores of the reranker beside the others', async () => {
  reranker.scoreOf = (_query, text) => numberIn(text) / 100_000
  const { documents } = (await ada.get('/v1/documents?limit=50')).body
  const { id: document_id } = documents.find(({ title }: { title: string }) => title === 'boat-3.md')
  const { body } = await ada.post('/v1/search/explain', { query: 'boat', mode: 'lexical', document_id })
  expect(body).toMatchObject({ verdict: 'returned', rerank: { outcome: 'reranked', candidates: CANDIDATES } })
  expect(body.chunks[0].reranked).toEqual({ rank: expect.any(Number), score: (3 * 7_919) / 100_000 })
  expect(body.chunks[0].fused.rank).toBe(body.chunks[0].reranked.rank)
  expect(body.chunks[0].lexical.rank).toBeLessThan(body.chunks[0].reranked.rank)
})

test('a reranker that is slow, refuses or is away costs a search its time, never its answer', async () => {
  const plain = (await search({ rerank: false })).titles
  for (const [mood, outcome] of [
    ['hang', 'timed_out'],
    [401, 'refused'],
    ['nonsense', 'unavailable'],
  ] as const) {
    reranker.mood = mood
    const answer = await search()
    expect([answer.titles, answer.rerank]).toEqual([plain, expect.objectContaining({ outcome })])
  }
  await reranker.stop()
  for (let n = 0; n < 6; n += 1) expect((await search()).rerank.outcome).toBe('unavailable')
  expect((await search()).titles).toEqual(plain)
  await reranker.start()
  reranker.mood = 'well'
  await waitFor(async () => (await search()).rerank.outcome === 'reranked', { what: 'the reranker after it came back' })
})

import { expect, test } from 'vitest'
import { type Trust, trustOf } from './embedding-trust.ts'
import { rank } from './rank-fusion.ts'

const candidate = (chunk_id: string, score: number) => ({ chunk_id, generation: 1, score })
const dense = [candidate('a', 0.9), candidate('b', 0.8), candidate('c', 0.7)]
const lexical = [candidate('b', 12), candidate('d', 3)]
const FULL: Trust = { weight: 1, floor: 0.2 }
const NONE: Trust = { weight: 0, floor: 0.2 }
const ids = (ranked: readonly { chunk_id: string }[]) => ranked.map(({ chunk_id }) => chunk_id)

test('of a trusted model, what both lists have comes before what one has', () => {
  const ranked = rank('hybrid', { dense, lexical }, FULL)
  expect(ids(ranked)).toEqual(['b', 'a', 'd', 'c'])
  expect(ranked[0]).toMatchObject({ dense_score: 0.8, lexical_score: 12 })
  expect(rank('hybrid', { dense, lexical: [candidate('a', 1)] }, FULL)[0]).toMatchObject({ chunk_id: 'a', score: 1 })
})

test('a model without trust only fills up below what was found by words, and answers nothing alone', () => {
  expect(ids(rank('hybrid', { dense, lexical }, NONE))).toEqual(['b', 'd', 'a', 'c'])
  expect(rank('hybrid', { dense, lexical: [] }, NONE)).toEqual([])
  expect(ids(rank('hybrid', { dense, lexical: [] }, FULL))).toEqual(['a', 'b', 'c'])
})

test('the less a model is trusted, the less it moves', () => {
  const rankOf = (weight: number) =>
    ids(rank('hybrid', { dense: [candidate('x', 0.9)], lexical }, { weight, floor: 0 })).indexOf('x')
  expect([rankOf(1), rankOf(0.3), rankOf(0)]).toEqual([0, 2, 2])
})

test('what is less similar than the floor is left out', () => {
  expect(ids(rank('dense', { dense, lexical: [] }, { weight: 1, floor: 0.75 }))).toEqual(['a', 'b'])
  expect(rank('hybrid', { dense, lexical: [] }, { weight: 1, floor: 0.95 })).toEqual([])
})

test('every score lies between 0 and 1, and falls', () => {
  for (const trust of [FULL, NONE]) {
    for (const mode of ['hybrid', 'dense', 'lexical'] as const) {
      const lists = { dense: mode === 'lexical' ? [] : dense, lexical: mode === 'dense' ? [] : lexical }
      const scores = rank(mode, lists, trust).map(({ score }) => score)
      expect(scores).toEqual(scores.toSorted((a, b) => b - a))
      for (const score of scores) expect(score).toSatisfy((value: number) => value > 0 && value <= 1)
    }
  }
})

test('longer lists do not change the order of what was found by shorter ones, page by page', () => {
  const list = (from: number, step: number) =>
    Array.from({ length: 400 }, (_, n) => candidate(`c${(from + n * step) % 401}`, 0.99 - n / 1_000))
  const [near, worded] = [list(0, 7), list(3, 11)]
  const order = (length: number) => ids(rank('hybrid', { dense: near.slice(0, length), lexical: worded.slice(0, length) }, FULL))
  const first = order(50)
  for (const length of [60, 100, 400]) expect(order(length).slice(0, first.length)).toEqual(first)
  const scores = rank('hybrid', { dense: near, lexical: worded }, FULL).map(({ score }) => score)
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
})

test('equal scores keep one order, whatever the index answered first', () => {
  const equal = ['z', 'x', 'y'].map((id) => candidate(id, 0.5))
  const order = (list: typeof equal) => ids(rank('dense', { dense: list, lexical: [] }, FULL))
  expect(order(equal)).toEqual(['x', 'y', 'z'])
  expect(order(equal.toReversed())).toEqual(['x', 'y', 'z'])
})

test('a model is trusted for the probes that it solves', () => {
  const axis = (n: number, other = 0) => Float32Array.from({ length: 10 }, (_, at) => (at === n ? 1 : other))
  const questions = Array.from({ length: 10 }, (_, n) => axis(n, 0.1))
  expect(trustOf(questions, questions)).toMatchObject({ weight: 0.3 })
  expect(trustOf(questions, questions.toReversed()).weight).toBe(0)
  const six = questions.map((question, n) => (n < 6 ? question : axis(0)))
  expect(trustOf(questions, six).weight).toBeCloseTo(0.15)
  expect(
    trustOf(
      questions,
      questions.map(() => new Float32Array(10)),
    ),
  ).toEqual({ weight: 0, floor: 0 })
})

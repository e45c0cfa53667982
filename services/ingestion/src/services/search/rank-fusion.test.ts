import { expect, test } from 'vitest'
import { rank } from './rank-fusion.ts'

const candidate = (chunk_id: string, score: number) => ({ chunk_id, generation: 1, score })
const dense = [candidate('a', 0.9), candidate('b', 0.8), candidate('c', 0.7)]
const lexical = [candidate('b', 12), candidate('d', 3)]

test('what both lists have comes before what one has', () => {
  const ranked = rank('hybrid', { dense, lexical })
  expect(ranked.map(({ chunk_id }) => chunk_id)).toEqual(['b', 'a', 'd', 'c'])
  expect(ranked[0]).toMatchObject({ dense_score: 0.8, lexical_score: 12 })
  expect(rank('hybrid', { dense, lexical: [candidate('a', 1)] })[0]).toMatchObject({ chunk_id: 'a', score: 1 })
})

test('every score lies between 0 and 1, and falls', () => {
  for (const mode of ['hybrid', 'dense', 'lexical'] as const) {
    const scores = rank(mode, { dense: mode === 'lexical' ? [] : dense, lexical: mode === 'dense' ? [] : lexical }).map(
      ({ score }) => score,
    )
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
    for (const score of scores) expect(score).toSatisfy((value: number) => value > 0 && value <= 1)
  }
})

test('equal scores keep one order, whatever the index answered first', () => {
  const equal = ['z', 'x', 'y'].map((id) => candidate(id, 0.5))
  const order = (list: typeof equal) => rank('dense', { dense: list, lexical: [] }).map(({ chunk_id }) => chunk_id)
  expect(order(equal)).toEqual(['x', 'y', 'z'])
  expect(order(equal.toReversed())).toEqual(['x', 'y', 'z'])
})

import { expect, test } from 'vitest'
import { measure } from './measures.ts'
import { readDocuments, readJudgements, readQueries } from './trec-files.ts'

const grades = (pairs: Record<string, number>) => new Map(Object.entries(pairs))

test('the measures of trec_eval, worked out by hand', () => {
  const judgements = new Map([['1', grades({ a: 2, b: 1, c: 0, d: 1 })]])
  const found = measure(new Map([['1', ['b', 'c', 'a']]]), judgements)
  const ideal = 2 + 1 / Math.log2(3) + 1 / 2
  expect(found.ndcg10).toBeCloseTo((1 + 2 / 2) / ideal, 10)
  expect(found.map).toBeCloseTo((1 + 2 / 3) / 3, 10)
  expect(found.p10).toBeCloseTo(0.2, 10)
  expect(found.recall100).toBeCloseTo(2 / 3, 10)
})

test('a query that found nothing counts, one without a relevant document does not', () => {
  const judgements = new Map([
    ['1', grades({ a: 1 })],
    ['2', grades({ a: 1 })],
    ['3', grades({ a: 0 })],
  ])
  expect(measure(new Map([['1', ['a']]]), judgements)).toEqual({ queries: 2, ndcg10: 0.5, map: 0.5, p10: 0.05, recall100: 0.5 })
})

test('files in the formats of TREC', () => {
  const documents =
    '<DOC>\n<DOCNO> FT-1 </DOCNO>\n<TEXT>\nred &amp; <b>green</b>\n</TEXT>\n</DOC>\n<DOC><DOCNO>2</DOCNO>blue</DOC>'
  expect([...readDocuments(documents)]).toEqual([
    ['FT-1', 'red & green'],
    ['2', 'blue'],
  ])
  const queries =
    '<top>\n<num> Number: 301\n<title> Topic: red wine\n<desc> Description:\nlong\n</top>\n<top><num>2</num><title>\nBLUE\n</title></top>'
  expect([...readQueries(queries)]).toEqual([
    ['301', 'red wine'],
    ['2', 'BLUE'],
  ])
  expect(readJudgements('1 0 a 2\n1 0 b 0\n2\t0\tc\t1\n').get('1')).toEqual(grades({ a: 2, b: 0 }))
  expect(() => readJudgements('1 0 a')).toThrow('four columns')
})

import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@youworker/runtime/logger'
import { expect, test } from 'vitest'
import type { QueryTerm } from '../../analysis/query.ts'
import type { IndexEntry, SearchIndex } from '../../services/search/search-index.ts'
import { createEmbeddedIndex } from './embedded-index.ts'

const SPACE = '0190a000-0000-7000-8000-000000000001'
const START = { epoch: 'e', model: 'm' }
const vector = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const word = (...forms: string[]): QueryTerm => ({ forms, weight: 1, use: 'should' })
const entry = (chunk_id: string, body: string, direction: Uint8Array, generation = 1): IndexEntry => {
  return { chunk_id, document_id: 'd', generation, heading: '', body, vector: direction }
}
const ids = (candidates: readonly { chunk_id: string }[]) => candidates.map(({ chunk_id }) => chunk_id)

/** Two processes' views of one folder. */
async function withIndexes(work: (one: SearchIndex, two: SearchIndex, dir: string) => Promise<void>): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'youworker-index-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const open = () => stack.use(createEmbeddedIndex(dir, { logger: silentLogger() }))
  await work(open(), open(), dir)
}

test('words and vectors of a space are found; an older version is dropped', () =>
  withIndexes(async (index) => {
    expect(await index.state(SPACE)).toBeUndefined()
    await index.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    await index.add(SPACE, base, [entry('a', 'run dog', vector(1, 0)), entry('b', 'a café', vector(0, 1))])
    await index.add(SPACE, base, [entry('a', 'run dog', vector(1, 0))])
    expect(await index.advance(SPACE, base, 3, [{ document_id: 'd', generation: 1 }])).toBe(true)
    expect(await index.state(SPACE)).toEqual({ ...START, seq: 3 })
    const query = { vector: vector(1, 0.1), terms: [word('runs', 'run'), word('café')], limit: 10 }
    const found = await index.search(SPACE, query)
    expect(ids(found.dense)).toEqual(['a', 'b'])
    expect(ids(found.lexical).sort()).toEqual(['a', 'b'])
    expect(ids((await index.search(SPACE, { ...query, document_ids: [] })).dense)).toEqual([])

    const next = { ...START, seq: 3 }
    await index.add(SPACE, next, [entry('c', 'new dog', vector(1, 0), 2)])
    await index.advance(SPACE, next, 4, [{ document_id: 'd', generation: 2 }])
    expect(ids((await index.search(SPACE, query)).dense)).toEqual(['c'])
    await index.advance(SPACE, { ...START, seq: 4 }, 5, [{ document_id: 'd', generation: null }])
    expect(await index.search(SPACE, { ...query, terms: [word('dog')] })).toEqual({ dense: [], lexical: [] })
  }))

test('terms are required, left out and counted', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    const texts = { both: 'red green', red: 'red', green: 'green blue', signs: 'cplusplus u1f600 東京' }
    await index.add(
      SPACE,
      base,
      Object.entries(texts).map(([id, text]) => entry(id, text, vector(1, 1))),
    )
    const found = async (...terms: QueryTerm[]) => ids((await index.search(SPACE, { terms, limit: 10 })).lexical).sort()
    const must = (form: string): QueryTerm => ({ ...word(form), use: 'must' })
    const not = (form: string): QueryTerm => ({ ...word(form), use: 'not' })
    expect(await found(word('red'), word('green'))).toEqual(['both', 'green', 'red'])
    expect(await found(must('red'), must('green'))).toEqual(['both'])
    expect(await found(must('green'), word('blue'))).toEqual(['both', 'green'])
    expect(await found(word('green'), not('blue'))).toEqual(['both'])
    expect(await found(not('blue'))).toEqual([])
    for (const sign of ['cplusplus', 'u1f600', '東京']) expect(await found(word(sign))).toEqual(['signs'])
    expect(await index.frequencies(SPACE, ['red', 'zebra', 'green'])).toEqual({ chunks: 4, counts: [2, 0, 2] })
  }))

test('processes share the files, and a write from an outdated state is refused', () =>
  withIndexes(async (one, two) => {
    await one.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    await Promise.all(
      Array.from({ length: 20 }, (_, at) => (at % 2 ? one : two).add(SPACE, base, [entry(`c${at}`, 'dog', vector(1, at))])),
    )
    expect((await two.search(SPACE, { terms: [word('dog')], limit: 50 })).lexical).toHaveLength(20)
    expect(await one.advance(SPACE, base, 1, [])).toBe(true)
    expect(await two.advance(SPACE, base, 2, [])).toBe(false)
    expect(await two.add(SPACE, base, [entry('late', 'dog', vector(1, 1))])).toBe(false)
    await one.drop(SPACE)
    expect(await two.state(SPACE)).toBeUndefined()
    expect(await two.search(SPACE, { terms: [word('dog')], limit: 5 })).toEqual({ dense: [], lexical: [] })
  }))

test('thousands of chunks can be replaced', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    for (const generation of [1, 2, 3]) {
      const base = { ...START, seq: generation - 1 }
      const entries = Array.from({ length: 3_000 }, (_, at) =>
        entry(`${generation}-${at}`, `w${at} w${at * 7} text`, vector(at, 1), generation),
      )
      expect(await index.add(SPACE, base, entries)).toBe(true)
      expect(await index.advance(SPACE, base, generation, [{ document_id: 'd', generation }])).toBe(true)
    }
    expect((await index.search(SPACE, { terms: [word('text')], vector: vector(1, 1), limit: 4_000 })).lexical).toHaveLength(3_000)
  }))

test('a folder that another machine uses is refused until its claim has expired', () =>
  withIndexes(async (index, _other, dir) => {
    await writeFile(join(dir, 'machine'), 'another machine')
    await expect(index.check()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('INDEX__DIR'),
    })
    await expect(index.state(SPACE)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    const longAgo = new Date(Date.now() - 120_000)
    await utimes(join(dir, 'machine'), longAgo, longAgo)
    await index.check()
    expect(await index.state(SPACE)).toBeUndefined()
  }))

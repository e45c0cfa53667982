import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
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
  return { chunk_id, document_id: 'd', generation, seq: generation, heading: '', body, vector: direction }
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

test('a file of an earlier version, whose module is not there any more, is made anew', () =>
  withIndexes(async (index, other, dir) => {
    const path = join(dir, `${SPACE}.sqlite`)
    await index.reset(SPACE, START)
    await index.drop(SPACE)
    const db = new DatabaseSync(path)
    db.exec('create virtual table vectors using fts5(embedding); pragma user_version = 1')
    db.close()
    const bytes = (await readFile(path)).toString('latin1')
    await writeFile(path, bytes.replaceAll('using fts5', 'using vec0'), 'latin1')
    expect([await index.state(SPACE), await other.state(SPACE)]).toEqual([undefined, undefined])
    await index.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    expect(await other.add(SPACE, base, [entry('a', 'run dog', vector(1, 0))])).toBe('added')
    for (const each of [index, other]) {
      const found = await each.search(SPACE, { vector: vector(1, 0), terms: [word('dog')], limit: 10 })
      expect([ids(found.dense), ids(found.lexical)]).toEqual([['a'], ['a']])
    }
  }))

test('thousands of chunks can be replaced', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    for (const generation of [1, 2, 3]) {
      const base = { ...START, seq: generation - 1 }
      const entries = Array.from({ length: 3_000 }, (_, at) =>
        entry(`${generation}-${at}`, `w${at} w${at * 7} text`, vector(at, 1), generation),
      )
      expect(await index.add(SPACE, base, entries)).toBe('added')
      expect(await index.advance(SPACE, base, generation, [{ document_id: 'd', generation, seq: generation }])).toBe(true)
    }
    expect((await index.search(SPACE, { terms: [word('text')], vector: vector(1, 1), limit: 4_000 })).lexical).toHaveLength(3_000)
  }))

test('a file that is damaged or deleted while it is searched is told, and can be made anew', () =>
  withIndexes(async (index, other, dir) => {
    const path = join(dir, `${SPACE}.sqlite`)
    const base = { ...START, seq: 0 }
    const fill = async () => {
      await index.reset(SPACE, START)
      const texts = randomTexts(1_000)
      expect(
        await index.add(
          SPACE,
          base,
          texts.map((body, at) => entry(`c${at}`, body, vector(1, at))),
        ),
      ).toBe('added')
      await index.scrub(SPACE)
    }
    const query = { terms: [word('w5')], vector: vector(1, 0), limit: 10 }
    const lost = { code: 'SERVICE_UNAVAILABLE', retryAfter: 2, message: expect.stringContaining('made anew') }
    await fill()
    const bytes = await readFile(path)
    // What it says of itself stays.
    await writeFile(path, Buffer.concat([bytes.subarray(0, 96 * 1024), Buffer.alloc(bytes.length - 96 * 1024, 0xa5)]))
    expect(await other.state(SPACE)).toMatchObject(START)
    await expect(other.search(SPACE, query)).rejects.toMatchObject(lost)
    expect(await other.state(SPACE)).toBeUndefined()

    await fill()
    expect((await other.search(SPACE, query)).lexical).toHaveLength(10)
    await rm(path)
    await expect(other.search(SPACE, query)).rejects.toMatchObject(lost)
    expect(await other.state(SPACE)).toBeUndefined()
    await fill()
    expect((await other.search(SPACE, query)).dense).toHaveLength(10)
  }))

test('a folder that another machine uses is refused until its claim has expired', () =>
  withIndexes(async (index, _other, dir) => {
    await writeFile(join(dir, 'machine'), 'another machine')
    await expect(index.check()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('LLM__QDRANT_URL'),
    })
    await expect(index.state(SPACE)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    const longAgo = new Date(Date.now() - 120_000)
    await utimes(join(dir, 'machine'), longAgo, longAgo)
    await index.check()
    expect(await index.state(SPACE)).toBeUndefined()
  }))

/** Words by frequency as in a language, from a fixed seed. */
function randomTexts(count: number): string[] {
  let seed = 7
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  return Array.from({ length: count }, () =>
    Array.from({ length: 20 + Math.floor(random() * 60) }, () => `w${Math.floor(400 ** random())}`).join(' '),
  )
}

test('scores are those of BM25 as the textbook has it, after any number of writes and removals', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    const texts = randomTexts(1_200)
    const entries = texts.map((body, at): IndexEntry => {
      return {
        chunk_id: `c${at}`,
        document_id: `d${at}`,
        generation: 1,
        seq: 1,
        heading: at % 3 ? '' : 'w5 w6',
        body,
        vector: null,
      }
    })
    // In portions that make the index merge what it has.
    for (let from = 0, size = 1; from < entries.length; from += size, size = (size % 40) + 1)
      expect(await index.add(SPACE, base, entries.slice(from, from + size))).toBe('added')
    const gone = entries.filter((_, at) => at % 7 === 0)
    await index.advance(
      SPACE,
      base,
      1,
      gone.map(({ document_id }) => ({ document_id, generation: null, seq: 2 })),
    )
    const left = entries
      .filter((_, at) => at % 7 !== 0)
      .map(({ chunk_id, heading, body }) => {
        const [title, words] = [heading, body].map((text) => text.split(' ').filter((term) => term !== ''))
        return { chunk_id, title: title ?? [], words: words ?? [] }
      })
    const mean = left.reduce((sum, { title, words }) => sum + title.length + words.length, 0) / left.length
    const asked = ['w5', 'w1', 'w80', 'w311']
    const tf = (chunk: (typeof left)[number], term: string) =>
      2 * chunk.title.filter((word) => word === term).length + chunk.words.filter((word) => word === term).length
    const counted = new Map(asked.map((term) => [term, left.filter((each) => tf(each, term) > 0).length]))
    const expected = left
      .map((chunk) => {
        const score = asked.reduce((sum, term) => {
          const having = counted.get(term) ?? 0
          const idf = Math.max(1e-6, Math.log((left.length - having + 0.5) / (having + 0.5)))
          const norm = 1.2 * (0.25 + (0.75 * (chunk.title.length + chunk.words.length)) / mean)
          return sum + (idf * tf(chunk, term) * 2.2) / (tf(chunk, term) + norm)
        }, 0)
        return { chunk_id: chunk.chunk_id, score }
      })
      .sort((a, b) => b.score - a.score)
      .slice(0, 100)
    const { lexical } = await index.search(SPACE, { terms: asked.map((term) => word(term)), limit: 100 })
    expect(lexical.map(({ score }) => Math.round(score * 1e6))).toEqual(expected.map(({ score }) => Math.round(score * 1e6)))
    const scores = new Map(expected.map(({ chunk_id, score }) => [chunk_id, score]))
    for (const { chunk_id, score } of lexical.slice(0, 50)) expect(score).toBeCloseTo(scores.get(chunk_id) ?? -1, 6)
  }))

test('of thousands of vectors the nearest are found, whether the query has many numbers or few', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    const base = { ...START, seq: 0 }
    let seed = 3
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5
    const centre = Array.from({ length: 64 }, () => random() * 2)
    const vectors = Array.from({ length: 6_000 }, () => centre.map((value) => value + random()))
    const entries = vectors.map((values, at) => entry(`c${at}`, 'x', vector(...values)))
    for (let from = 0; from < entries.length; from += 500) await index.add(SPACE, base, entries.slice(from, from + 500))
    const cosine = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0) / (Math.hypot(...a) * Math.hypot(...b))
    const dense = Array.from({ length: 20 }, () => centre.map((value) => value + random()))
    const sparse = Array.from({ length: 20 }, (_, n) => centre.map((_value, at) => (at % 20 === n % 20 ? 1 : 0)))
    let found = 0
    for (const query of [...dense, ...sparse]) {
      const ranked = vectors
        .map((values, at) => ({ id: `c${at}`, score: cosine(query, values) }))
        .sort((a, b) => b.score - a.score)
      const best = new Set(ranked.slice(0, 10).map(({ id }) => id))
      const hits = (await index.search(SPACE, { vector: vector(...query), limit: 50 })).dense
      found += hits.slice(0, 10).filter(({ chunk_id }) => best.has(chunk_id)).length
      expect(hits[0]?.score).toBeCloseTo(ranked[0]?.score ?? -1, 3)
    }
    expect(found / 400).toBeGreaterThanOrEqual(0.98)
  }))

test('a space whose documents were replaced again and again is found as before', () =>
  withIndexes(async (index) => {
    await index.reset(SPACE, START)
    let seq = 0
    let seed = 11
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647 - 0.5
    const vectors = Array.from({ length: 2_500 }, () => vector(...Array.from({ length: 48 }, random)))
    const vectorOf = (at: number) => vectors[at] ?? vector(1)
    for (let generation = 1; generation <= 28; generation += 1) {
      const entries = Array.from({ length: 2_500 }, (_, at) =>
        entry(`${generation}-${at}`, `same w${at}`, vectorOf(at), generation),
      )
      await index.add(SPACE, { ...START, seq }, entries)
      await index.advance(SPACE, { ...START, seq }, seq + 1, [{ document_id: 'd', generation, seq: generation }])
      seq += 1
    }
    expect(ids((await index.search(SPACE, { terms: [word('w77')], limit: 5 })).lexical)).toEqual(['28-77'])
    expect(await index.frequencies(SPACE, ['same', 'w77'])).toEqual({ chunks: 2_500, counts: [2_500, 1] })
    expect(await index.contents(SPACE, { limit: 3_000 })).toHaveLength(2_500)
    await index.scrub(SPACE)
    expect(ids((await index.search(SPACE, { terms: [word('w77')], limit: 5 })).lexical)).toEqual(['28-77'])
    const [nearest] = (await index.search(SPACE, { vector: vectorOf(1_000), limit: 5 })).dense
    expect(nearest).toMatchObject({ chunk_id: '28-1000', score: expect.closeTo(1, 3) })
  }))

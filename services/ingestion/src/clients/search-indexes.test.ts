import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { startQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { describe, expect, test } from 'vitest'
import type { QueryTerm } from '../analysis/query.ts'
import type { IndexEntry, IndexQuery, IndexState, SearchIndex } from '../services/search/search-index.ts'
import { createEmbeddedIndex } from './embedded-index/embedded-index.ts'
import { createQdrantIndex } from './qdrant-index/qdrant-index.ts'

const START = { epoch: 'e', model: 'm' }
/** Numbers of the vectors of this file. */
const SIZE = 2

/** Opens views of one index, as several processes have them. */
type Open = () => SearchIndex
type Prepare = (stack: AsyncDisposableStack) => Promise<Open>

const logger = silentLogger()
const qdrantAt = (url: string, apiKey: string | undefined, model: string, stack: AsyncDisposableStack): SearchIndex =>
  stack.use(createQdrantIndex({ url, apiKey, model, dimensions: async () => SIZE, logger }))

const embedded: Prepare = async (stack) => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-index-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  return () => stack.use(createEmbeddedIndex(dir, { logger }))
}

const testQdrant =
  (version: '1.15' | '1.19'): Prepare =>
  async (stack) => {
    const server = stack.use(await startQdrant({ version, apiKey: 'a key' }))
    stack.defer(() => expect(server.faults).toEqual([]))
    return () => qdrantAt(server.url, 'a key', 'm', stack)
  }

/** A collection of its own in the Qdrant of LLM__QDRANT_URL, which is left behind empty. */
const realQdrant =
  (url: string): Prepare =>
  async (stack) => {
    const model = `test ${newId()}`
    return () => qdrantAt(url, process.env['LLM__QDRANT_API_KEY'], model, stack)
  }

const { LLM__QDRANT_URL: realUrl } = process.env
const adapters: [string, Prepare][] = [
  ['embedded', embedded],
  ['Qdrant 1.19', testQdrant('1.19')],
  ['Qdrant 1.15', testQdrant('1.15')],
  ...(realUrl === undefined ? [] : [[`Qdrant at ${realUrl}`, realQdrant(realUrl)] satisfies [string, Prepare]]),
]

const vector = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const word = (...forms: string[]): QueryTerm => ({ forms, weight: 1, use: 'should' })
const must = (form: string): QueryTerm => ({ ...word(form), use: 'must' })
const not = (form: string): QueryTerm => ({ ...word(form), use: 'not' })
const ids = (candidates: readonly { chunk_id: string }[]) => candidates.map(({ chunk_id }) => chunk_id)

interface Text {
  readonly body: string
  readonly heading?: string
  readonly document_id?: string
  readonly generation?: number
  readonly seq?: number
  readonly direction?: Uint8Array | null
}

function entry({ body, heading = '', document_id = newId(), generation = 1, seq = 1, direction }: Text): IndexEntry {
  return {
    chunk_id: newId(),
    document_id,
    generation,
    seq,
    heading,
    body,
    vector: direction === undefined ? vector(1, 1) : direction,
  }
}

describe.each(adapters)('%s', (_name, prepare) => {
  const withIndexes = async (work: (one: SearchIndex, two: SearchIndex, space: string, open: Open) => Promise<void>) => {
    await using stack = new AsyncDisposableStack()
    const open = await prepare(stack)
    const [one, two] = [open(), open()]
    await work(one, two, newId(), open)
  }
  const fill = async (index: SearchIndex, space: string, entries: readonly IndexEntry[], seq = 1): Promise<IndexState> => {
    const base = await index.reset(space, START)
    expect(await index.add(space, base, entries)).toBe('added')
    expect(
      await index.advance(
        space,
        base,
        seq,
        entries.map((each) => ({ ...each, seq })),
      ),
    ).toBe(true)
    return { ...base, seq }
  }
  const lexical = async (index: SearchIndex, space: string, ...terms: QueryTerm[]) =>
    ids((await index.search(space, { terms, limit: 50 })).lexical)

  test('words and vectors of a space are found; an older version is dropped, and then all of them', () =>
    withIndexes(async (index, other, space) => {
      expect(await index.state(space)).toBeUndefined()
      expect(await index.search(space, { terms: [word('dog')], vector: vector(1, 0), limit: 5 })).toEqual({
        dense: [],
        lexical: [],
      })
      const base = await index.reset(space, START)
      expect(base).toMatchObject({ ...START, seq: 0 })
      const document_id = newId()
      const a = entry({ document_id, body: 'run dog', direction: vector(1, 0), seq: 3 })
      const b = entry({ document_id, body: 'a café', direction: vector(0, 1), seq: 3 })
      expect(await index.add(space, base, [a, b])).toBe('added')
      expect(await index.add(space, base, [a])).toBe('added')
      expect(await index.advance(space, base, 3, [{ document_id, generation: 1, seq: 3 }])).toBe(true)
      expect(await other.state(space)).toEqual({ ...base, seq: 3 })
      const query: IndexQuery = { vector: vector(1, 0.1), terms: [word('runs', 'run'), word('café')], limit: 10 }
      const found = await other.search(space, query)
      expect(ids(found.dense)).toEqual([a.chunk_id, b.chunk_id])
      expect(found.dense[0]).toMatchObject({ generation: 1, score: expect.closeTo(0.995, 3) })
      expect(ids(found.lexical).sort()).toEqual([a.chunk_id, b.chunk_id].sort())
      expect(ids((await index.search(space, { ...query, limit: 1 })).dense)).toEqual([a.chunk_id])

      const c = entry({ document_id, body: 'new dog', direction: vector(1, 0), generation: 2, seq: 4 })
      const next = { ...base, seq: 3 }
      expect(await index.add(space, next, [c])).toBe('added')
      expect(await index.advance(space, next, 4, [{ document_id, generation: 2, seq: 4 }])).toBe(true)
      expect(ids((await other.search(space, query)).dense)).toEqual([c.chunk_id])
      expect(await lexical(other, space, word('dog'))).toEqual([c.chunk_id])
      expect(await index.advance(space, { ...base, seq: 4 }, 5, [{ document_id, generation: null, seq: 5 }])).toBe(true)
      expect(await other.search(space, { ...query, terms: [word('dog')] })).toEqual({ dense: [], lexical: [] })
      expect(await other.contents(space, { limit: 5 })).toEqual([])
    }))

  test('terms are required, left out and counted; a question is asked of some documents', () =>
    withIndexes(async (index, _other, space) => {
      const texts = { both: 'red green', red: 'red', green: 'green blue', signs: 'cplusplus u1f600 東京' }
      const entries = Object.values(texts).map((body) => entry({ body }))
      const names = new Map(entries.map(({ chunk_id }, n) => [chunk_id, Object.keys(texts)[n]]))
      await fill(index, space, entries)
      const found = async (...terms: QueryTerm[]) => (await lexical(index, space, ...terms)).map((id) => names.get(id)).sort()
      expect(await found(word('red'), word('green'))).toEqual(['both', 'green', 'red'])
      expect(await found(must('red'), must('green'))).toEqual(['both'])
      expect(await found(must('green'), word('blue'))).toEqual(['both', 'green'])
      expect(await found(word('green'), not('blue'))).toEqual(['both'])
      expect(await found(must('red'), not('green'))).toEqual(['red'])
      expect(await found(not('blue'))).toEqual([])
      expect(await found(word('zebra'))).toEqual([])
      for (const sign of ['cplusplus', 'u1f600', '東京']) expect(await found(word(sign))).toEqual(['signs'])
      expect(await index.frequencies(space, ['red', 'zebra', 'green'])).toEqual({ chunks: 4, counts: [2, 0, 2] })
      const [both, red] = entries
      const within = async (document_ids: string[]) =>
        index.search(space, { terms: [word('red')], vector: vector(1, 1), limit: 10, document_ids })
      const ofOne = await within([red?.document_id ?? ''])
      expect([ids(ofOne.lexical), ids(ofOne.dense)]).toEqual([[red?.chunk_id], [red?.chunk_id]])
      expect(await within([])).toEqual({ dense: [], lexical: [] })
      expect(await within([newId()])).toEqual({ dense: [], lexical: [] })
      expect(ids((await within([both?.document_id ?? '', red?.document_id ?? ''])).lexical)).toHaveLength(2)
    }))

  test('the rarer word, the heading and the shorter text count more, and a weight counts as it says', () =>
    withIndexes(async (index, _other, space) => {
      const filler = Array.from({ length: 20 }, (_, n) => `w${n}`).join(' ')
      const frequent = entry({ body: 'common common' })
      const rare = entry({ body: 'rare thing' })
      const headed = entry({ heading: 'subject', body: 'something' })
      const short = entry({ body: 'subject else' })
      const long = entry({ body: `subject else ${filler} ${filler}` })
      const others = Array.from({ length: 12 }, () => entry({ body: 'common other' }))
      await fill(index, space, [frequent, rare, headed, short, long, ...others])
      expect((await lexical(index, space, word('common'), word('rare')))[0]).toBe(rare.chunk_id)
      expect(await lexical(index, space, word('subject'))).toEqual([headed, short, long].map(({ chunk_id }) => chunk_id))
      const weighed = await lexical(index, space, { ...word('rare'), weight: 0.01 }, word('something'))
      expect(weighed).toEqual([headed.chunk_id, rare.chunk_id])
    }))

  test('how others write changes nothing in a space: neither what is found, nor its order, nor its scores', () =>
    withIndexes(async (index, _other, space) => {
      const others = newId()
      await fill(index, space, [entry({ body: 'red green' }), entry({ body: 'green blue' }), entry({ body: 'blue' })])
      const query: IndexQuery = { terms: [word('red'), word('green'), word('blue')], vector: vector(1, 0), limit: 10 }
      const before = await index.search(space, query)
      await fill(
        index,
        others,
        Array.from({ length: 60 }, () => entry({ body: 'red', direction: vector(1, 0) })),
      )
      const after = await index.search(space, query)
      const rounded = ({ dense, lexical: words }: typeof before) =>
        [dense, words].map((list) => list.map(({ chunk_id, score }) => [chunk_id, Math.round(score * 1e5)]).sort())
      expect(rounded(after)).toEqual(rounded(before))
      expect(await index.frequencies(space, ['red'])).toEqual({ chunks: 3, counts: [1] })
      await index.drop(space)
      expect((await index.search(others, { ...query, limit: 100 })).lexical).toHaveLength(60)
    }))

  test('processes share the index, and a write from an outdated state is refused', () =>
    withIndexes(async (one, two, space) => {
      const base = await one.reset(space, START)
      await Promise.all(
        Array.from({ length: 20 }, (_, at) =>
          (at % 2 ? one : two).add(space, base, [entry({ body: 'dog', direction: vector(1, at) })]),
        ),
      )
      expect(await lexical(two, space, word('dog'))).toHaveLength(20)
      expect(await Promise.all([one.advance(space, base, 1, []), two.advance(space, base, 1, [])])).toContain(true)
      expect(await two.advance(space, base, 2, [])).toBe(false)
      expect(await two.add(space, base, [entry({ body: 'dog' })])).toBe('refused')
      expect(await lexical(two, space, word('dog'))).toHaveLength(20)
      await one.drop(space)
      expect(await two.state(space)).toBeUndefined()
      expect(await two.search(space, { terms: [word('dog')], limit: 5 })).toEqual({ dense: [], lexical: [] })
    }))

  test('a part that is begun anew holds nothing of before', () =>
    withIndexes(async (one, two, space) => {
      await fill(one, space, [entry({ body: 'old dog' })])
      const base = await two.reset(space, { epoch: 'e2', model: 'm2' })
      expect(await one.state(space)).toEqual({ ...base, epoch: 'e2', model: 'm2', seq: 0 })
      expect(await lexical(one, space, word('dog'))).toEqual([])
      expect(await one.add(space, base, [entry({ body: 'new dog' })])).toBe('added')
      expect(await lexical(two, space, word('dog'))).toHaveLength(1)
    }))

  test('what an index holds is listed in the order of ids, page by page, with what lacks its vector', () =>
    withIndexes(async (index, _other, space) => {
      const document_id = newId()
      const entries = Array.from({ length: 25 }, (_, n) =>
        entry({ body: `w${n}`, direction: n % 5 === 0 ? null : vector(1, n), ...(n < 4 ? { document_id } : {}) }),
      )
      await fill(index, newId(), [entry({ body: 'w1' })])
      await fill(index, space, entries)
      const listed = []
      for (let after: string | undefined; ;) {
        const page = await index.contents(space, { after, limit: 10 })
        listed.push(...page)
        after = page.at(-1)?.chunk_id
        if (page.length < 10) break
      }
      const expected = entries.map(({ chunk_id, document_id: of, generation, vector: own }) => {
        return { chunk_id, document_id: of, generation, has_vector: own !== null }
      })
      expect(listed).toEqual(expected.toSorted((a, b) => (a.chunk_id < b.chunk_id ? -1 : 1)))
      expect(await index.contents(space, { document_id, limit: 10 })).toHaveLength(4)
      await index.scrub(space)
      expect(await index.contents(space, { limit: 100 })).toHaveLength(25)
    }))

  test('vectors of another length than those of the index are left out and find nothing', () =>
    withIndexes(async (index, _other, space) => {
      const [fits, strange] = [entry({ body: 'dog' }), entry({ body: 'dog', direction: vector(1, 2, 3) })]
      await fill(index, space, [fits, strange])
      expect(await lexical(index, space, word('dog'))).toHaveLength(2)
      expect(ids((await index.search(space, { vector: vector(1, 1), limit: 5 })).dense)).toEqual([fits.chunk_id])
      expect((await index.search(space, { vector: vector(1, 2, 3), limit: 5 })).dense).toEqual([])
    }))

  test('thousands of chunks are replaced', { timeout: 60_000 }, () =>
    withIndexes(async (index, _other, space) => {
      let base = await index.reset(space, START)
      const document_id = newId()
      for (const generation of [1, 2]) {
        const entries = Array.from({ length: 1_500 }, (_, at) =>
          entry({ document_id, body: `w${at} w${at * 7} text`, direction: vector(at, 1), generation, seq: generation }),
        )
        expect(await index.add(space, base, entries)).toBe('added')
        expect(await index.advance(space, base, generation, [{ document_id, generation, seq: generation }])).toBe(true)
        base = { ...base, seq: generation }
      }
      const found = await index.search(space, { terms: [word('text')], vector: vector(1, 1), limit: 4_000 })
      expect(found.lexical).toHaveLength(1_500)
      expect(found.lexical.every(({ generation }) => generation === 2)).toBe(true)
      expect(await index.frequencies(space, ['text', 'w77'])).toEqual({ chunks: 1_500, counts: [1_500, 2] })
    }),
  )

  test('a document that was removed and came back is found, whichever change reaches the index last', () =>
    withIndexes(async (one, two, space) => {
      const document_id = newId()
      const [first, later] = [entry({ document_id, body: 'dog' }), entry({ body: 'cat' })]
      const base = await fill(one, space, [first, later])
      expect(await one.advance(space, base, 2, [{ document_id, generation: null, seq: 2 }])).toBe(true)
      const next = { ...base, seq: 2 }
      expect(await two.add(space, next, [{ ...first, seq: 3 }])).toBe('added')
      // A slow process still applies the removal.
      expect(await one.advance(space, base, 2, [{ document_id, generation: null, seq: 2 }])).toBe(false)
      expect(await two.advance(space, next, 3, [{ document_id, generation: 1, seq: 3 }])).toBe(true)
      expect(await lexical(one, space, word('dog'))).toEqual([first.chunk_id])
    }))
})

import { createEmbeddedIndex } from '@youworker/ingestion/clients/embedded-index/embedded-index'
import { parseQuery, queryTerms } from '@youworker/ingestion/analysis/query'
import { silentLogger } from '@youworker/runtime/logger'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import pg from 'pg'
import { ApiUser } from '../api-user.ts'
import { isQuick, sliceMs } from '../measuring/effort.ts'
import { median, percentile } from '../measuring/load.ts'
import { type Cost, cpuOf, measure, printByProcess } from '../measuring/measure.ts'
import { Corpus } from './corpus.ts'
import { fillSpace } from './fill-space.ts'
import { startSystem } from '../system.ts'

const SIZES = isQuick ? [10_000] : process.argv.includes('--large') ? [10_000, 100_000, 500_000] : [10_000, 100_000]
const SLICE_MS = sliceMs(6_000)
const MANY = 8
const INDEXED_WITHIN_MS = 1_800_000
/** Searches until the code is compiled, and those until what a size needs is in memory. */
const WARM_UP = { first: isQuick ? 20 : 300, next: 20 }
const ASKED = 50

type Search = (query: string) => Promise<unknown>

/**
 * Hybrid searches in a space that grows, one and eight at a time; the same asked of its index directly; and searches in a space of one document
 * beside eight callers of the large one. The ratio is direct / API in CPU at the largest size.
 */
export async function search(stack: AsyncDisposableStack): Promise<number> {
  const { endpoints, dataDir } = await startSystem(stack, ['--no-demo'], /^API +http/m)
  const database = new pg.Client({ connectionString: endpoints.postgres })
  await database.connect()
  stack.defer(() => database.end())
  const root = ApiUser.root(endpoints)
  const [big, small] = [await root.addUser('big'), await root.addUser('small')]
  for (const user of [big, small]) await user.upload({ 'note.md': 'The boat lies at the northern pier.' })
  const model = endpoints.processes.find(({ name }) => name === 'offline-model')?.url ?? ''
  const corpus = await Corpus.make(model)
  const index = stack.use(createEmbeddedIndex(join(dataDir, 'index'), { logger: silentLogger() }))
  const direct = async (query: string) => {
    const terms = queryTerms(parseQuery(query), ['en'])
    return index.search(big.id, { terms, vector: await corpus.vectorOf(query), limit: ASKED })
  }
  const ask = (user: ApiUser) => (query: string) => user.post('/v1/search', { query })
  const vectors: Float32Array[] = []
  let ratio = Number.NaN
  for (const size of SIZES) {
    const started = performance.now()
    await fillSpace(database, { spaceId: big.id, from: vectors.length, to: size, corpus, vectors })
    await untilIndexed(big, database, async () => (await index.state(big.id))?.seq)
    console.log(`${size} chunks, filled and indexed in ${((performance.now() - started) / 1_000).toFixed(0)} s`)
    if (size === SIZES[0]) for (let n = 0; n < WARM_UP.first; n += 1) await ask(big)(corpus.query(n))
    const alone = await timed(endpoints.processes, corpus, ask(big), 1)
    const eight = await timed(endpoints.processes, corpus, ask(big), MANY)
    const itself = await timed([{ name: 'bench', pid: process.pid }], corpus, direct, 1)
    console.log(`  one at a time: ${alone.text}`)
    console.log(`  ${MANY} at a time: ${eight.text}`)
    console.log(
      `  the index itself: ${itself.text}; recall of the 10 nearest ${(await recall(corpus, vectors, direct)).toFixed(3)}`,
    )
    printByProcess([alone.cost], 'search')
    ratio = cpuOf(itself.cost) / cpuOf(alone.cost)
  }
  const flood = timed(endpoints.processes, corpus, ask(big), MANY)
  const beside = await timed(endpoints.processes, corpus, ask(small), 1)
  await flood
  console.log(`a space of one document beside ${MANY} callers of the large one: ${beside.text}`)
  return ratio
}

async function timed(processes: Parameters<typeof measure>[0], corpus: Corpus, search: Search, callers: number) {
  for (let n = 0; n < WARM_UP.next; n += 1) await search(corpus.query(n))
  const times: number[] = []
  const until = performance.now() + SLICE_MS
  let next = 0
  const caller = async () => {
    while (performance.now() < until) {
      const started = performance.now()
      await search(corpus.query((next += 1)))
      times.push(performance.now() - started)
    }
  }
  const cost: Cost = await measure(processes, async () => {
    await Promise.all(Array.from({ length: callers }, caller))
    return times.length
  })
  const text = `half within ${median(times).toFixed(1)} ms, 95 % within ${percentile(times, 95).toFixed(1)} ms, CPU ${cpuOf(cost).toFixed(1)} ms`
  return { cost, text }
}

/** Share of the exact 10 nearest that are among the first 10 of the index. */
async function recall(
  corpus: Corpus,
  vectors: readonly Float32Array[],
  direct: (query: string) => Promise<{ dense: readonly { chunk_id: string }[] }>,
): Promise<number> {
  let found = 0
  const queries = Array.from({ length: 20 }, (_, n) => corpus.query(n * 7))
  for (const query of queries) {
    const asked = await corpus.floatsOf(query)
    const scores = vectors.map((vector) => {
      let sum = 0
      for (let at = 0; at < vector.length; at += 1) sum += (vector[at] ?? 0) * (asked[at] ?? 0)
      return sum
    })
    const least = scores.toSorted((a, b) => b - a)[9] ?? 0
    const { dense } = await direct(query)
    found += dense.slice(0, 10).filter(({ chunk_id }) => (scores[Corpus.numberOf(chunk_id)] ?? -1) >= least - 1e-4).length
  }
  return found / (10 * queries.length)
}

/** Searching brings the index up to date. */
async function untilIndexed(user: ApiUser, database: pg.Client, stateOf: () => Promise<number | undefined>): Promise<void> {
  const started = performance.now()
  const { rows } = await database.query<{ seq: string }>('select seq from ingestion.space_indexes where space_id = $1', [user.id])
  while (performance.now() - started < INDEXED_WITHIN_MS) {
    // Refused while the index takes too long, which is what is waited for.
    await user.post('/v1/search', { query: 'boat', mode: 'lexical' }).catch(() => {})
    if ((await stateOf()) === Number(rows[0]?.seq)) return
    await sleep(1_000)
  }
  throw new Error('the index was not made in time')
}

// `npm run eval -- DIR`: uploads the documents of a test collection, asks its queries and compares what is found with its judgements.
import { parseArgs } from 'node:util'
import { startSystem } from '@youworker/chaos/running-system'
import { SearchMode } from '@youworker/contracts/documents/search'
import { measure } from './measures.ts'
import { SearchApi } from './search-api.ts'
import { type Collection, readCollection } from './trec-files.ts'

const USAGE = `Usage: npm run eval -- DIR [--api URL] [--modes lexical,dense,hybrid] [--uploaded NAME]

DIR holds documents, queries and judgements in the formats of TREC. Without --api a system of its own is started and removed;
with it, YOUWORKER_API_KEY is a key of that system, and --uploaded names the collection of an earlier call whose documents
are asked again. Prints nDCG@10, MAP, P@10 and recall@100, with lists of at most 1,000 documents.`
const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const ARGUMENTS = {
  allowPositionals: true,
  options: {
    api: { type: 'string' },
    modes: { type: 'string', default: SearchMode.options.toSorted().toReversed().join(',') },
    uploaded: { type: 'string' },
  },
} as const

const stack = new AsyncDisposableStack()
const interrupt = () => void stack.disposeAsync().finally(() => process.exit(EXIT.interrupted))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// The parent, boot.mjs, has ended: nothing else would stop this process.
process.once('disconnect', interrupt)

process.exit(await main())

async function main(): Promise<number> {
  const asked = readArguments()
  if (!asked) {
    console.error(USAGE)
    return EXIT.usage
  }
  try {
    const collection = await readCollection(asked.dir)
    const { api, key } =
      asked.api === undefined ? await startSystem(stack, []) : { api: asked.api, key: process.env['YOUWORKER_API_KEY'] ?? '' }
    await evaluate(new SearchApi(api, key), collection, asked)
    return EXIT.ok
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    return EXIT.failed
  } finally {
    await stack.disposeAsync()
  }
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs(ARGUMENTS)
    const [dir, ...others] = positionals
    const modes = SearchMode.array().safeParse(values.modes.split(','))
    if (dir === undefined || others.length > 0 || !modes.success || (values.uploaded !== undefined && values.api === undefined))
      return undefined
    return { dir, modes: modes.data, api: values.api, uploaded: values.uploaded }
  } catch {
    return undefined
  }
}

async function evaluate(
  api: SearchApi,
  { documents, queries, judgements }: Collection,
  { modes, uploaded }: { modes: readonly SearchModeName[]; uploaded: string | undefined },
): Promise<void> {
  console.log(`${documents.size} documents, ${queries.size} queries, ${judgements.size} of them with judgements`)
  const name = uploaded ?? `eval-${Date.now()}`
  if (uploaded === undefined) {
    await api.upload(documents, name, (done) => process.stderr.write(`\r${done} uploaded `))
    process.stderr.write('\n')
    console.log(`collection ${name}`)
  }
  const judged = [...queries].filter(([id]) => judgements.has(id))
  console.log('mode     nDCG@10  MAP     P@10    recall@100  queries  ms a query')
  for (const mode of modes) {
    const run = new Map<string, string[]>()
    const started = performance.now()
    for (const [id, query] of judged) run.set(id, await api.search(query, mode, name))
    const took = (performance.now() - started) / Math.max(1, judged.length)
    const { ndcg10, map, p10, recall100, queries: counted } = measure(run, judgements)
    const figures = [ndcg10, map, p10, recall100].map((figure) => figure.toFixed(4))
    console.log(`${mode.padEnd(8)} ${figures.join('   ')}      ${String(counted).padEnd(7)}  ${took.toFixed(1)}`)
  }
}

type SearchModeName = (typeof SearchMode.options)[number]

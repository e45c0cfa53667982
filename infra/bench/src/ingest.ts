import { fork } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import pg from 'pg'
import { ApiUser } from './api-user.ts'
import { isQuick, rounds } from './measuring/effort.ts'
import { median } from './measuring/load.ts'
import { type Cost, cpuOf, measure, perSecond, printByProcess, spread } from './measuring/measure.ts'
import { endWith, firstMessage, startSystem, temporaryDir } from './system.ts'

const SMALL = isQuick ? 200 : 1_000
const PDFS = isQuick ? 20 : 100
const BIG_MB = isQuick ? 4 : 100
/** Files of the user whose many files are read beside one of another. */
const MANY = isQuick ? 400 : 3_000
const TIMES = 5
const FILES_PER_REQUEST = 100
const REQUESTS_AT_ONCE = 2
const ROUNDS = rounds(3)
const LIMIT_MS = 600_000
/** Postgres counts a commit up to a second after it. */
const COUNTED_MS = 2_500
const WORDS =
  'leave request manager travel expense invoice server restart backup contract customer delivery quality safety training holiday window report budget meeting'.split(
    ' ',
  )

type Files = ReadonlyMap<string, Uint8Array>
interface Measured {
  readonly cost: Cost
  /** Of ingestion, without the children that read: CPU in ms for one file. */
  readonly itselfMs: number
  readonly chunks: number
  readonly commits: number
  readonly peakMb: number
}

/**
 * Small Markdown files, PDFs and one long text, from the first byte of the upload until the last of them can be found; against one process that
 * parses and embeds the same and stores nothing. The ratio is bare / system in CPU for one small file.
 */
export async function ingest(stack: AsyncDisposableStack): Promise<number> {
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m, { INGEST__MAX_FILE_MB: '120' })
  const database = new pg.Client({ connectionString: endpoints.postgres })
  await database.connect()
  stack.defer(() => database.end())
  const root = ApiUser.root(endpoints)
  const ours = endpoints.processes.filter(({ name }) => name !== 'offline-model')
  const ingestion = ours.find(({ name }) => name.startsWith('ingestion'))
  const model = endpoints.processes.find(({ name }) => name === 'offline-model')?.url ?? ''
  const baseline = await startBaseline(stack, model)
  const idle = await idleCommits(database)
  const run = async (files: Files): Promise<Measured> => {
    const user = await root.addUser(`user-${crypto.randomUUID().slice(0, 8)}`)
    await resetPeak(ingestion?.pid)
    const before = await commitsOf(database)
    const itself = await ownCpuMs(ingestion?.pid)
    let chunks = 0
    const cost = await measure(ours, async () => {
      chunks = await ingestAll(user, files)
      return files.size
    })
    const itselfMs = ((await ownCpuMs(ingestion?.pid)) - itself) / files.size
    await sleep(COUNTED_MS)
    const commits = (await commitsOf(database)) - before - idle * (cost.seconds + COUNTED_MS / 1_000)
    return { cost, itselfMs, chunks, commits, peakMb: await peakMb(ingestion?.pid) }
  }
  await run(smallFiles(SMALL / 4))
  const ratios: number[] = []
  const costs: Cost[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const files = smallFiles(SMALL)
    const bare = await baseline(files)
    const system = await run(files)
    costs.push(system.cost)
    ratios.push(bare / cpuOf(system.cost))
    print(`round ${round}: ${SMALL} small files`, system, bare)
  }
  printByProcess(costs, 'small file')
  const pdfs = pdfFiles(PDFS)
  const barePdf = await baseline(pdfs)
  const pdf = await run(pdfs)
  print(`${PDFS} PDFs`, pdf, barePdf)
  printByProcess([pdf.cost], 'PDF')
  const text = bigText(BIG_MB)
  const bareBig = await baseline(text)
  const big = await run(text)
  print(`a text of ${BIG_MB} MB`, big, bareBig)
  printByProcess([{ ...big.cost, cpu: new Map([...big.cost.cpu].map(([name, ms]) => [name, ms / big.chunks])) }], 'chunk')
  await printFairness(root)
  console.log(`bare / system for a small file: ${spread(ratios)}`)
  return median(ratios)
}

/** How much later one file of a user can be found while another user's many are read. */
async function printFairness(root: ApiUser): Promise<void> {
  const [heavy, light] = [
    await root.addUser(`heavy-${crypto.randomUUID().slice(0, 8)}`),
    await root.addUser(`light-${crypto.randomUUID().slice(0, 8)}`),
  ]
  const one = async () => {
    const started = performance.now()
    await ended(light, await light.beginUpload(smallFiles(1)))
    return (performance.now() - started) / 1_000
  }
  const alone = await repeatedly(TIMES, one)
  let isOver = false
  const load = ingestAll(heavy, smallFiles(MANY)).finally(() => (isOver = true))
  const beside: number[] = []
  while (!isOver) beside.push(await one())
  await load
  console.log(
    `one file beside ${MANY} of another user: ${spread(beside)} s of ${beside.length} times, alone ${spread(alone)} s, later by ` +
      `${(median(beside) - median(alone)).toFixed(2)} s`,
  )
}

async function repeatedly(times: number, work: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let n = 0; n < times; n += 1) all.push(await work())
  return all
}

function print(what: string, { cost, itselfMs, chunks, commits, peakMb: peak }: Measured, bare: number): void {
  const [files, all] = [cost.units, cpuOf(cost)]
  console.log(
    `${what}: ${perSecond(cost).toFixed(1)} files/s, ${all.toFixed(1)} ms CPU for one file (${((all * files) / chunks).toFixed(2)} for a chunk; ` +
      `parse and embed alone ${bare.toFixed(1)}; ingestion without its readers ${itselfMs.toFixed(1)}), ${(commits / files).toFixed(1)} commits for one, ${chunks} chunks, ingestion at most ${peak.toFixed(0)} MB`,
  )
}

const sentence = (seed: number): string =>
  Array.from({ length: 11 }, (_, at) => WORDS[(seed * 7 + at * (1 + (seed % 5))) % WORDS.length]).join(' ')

function smallFiles(count: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const of = (n: number) =>
    `# Note ${n} of ${mark}\n\n${Array.from({ length: 6 }, (_, at) => `${mark} ${n} ${sentence(n * 6 + at)}.`).join(' ')}\n`
  return new Map(Array.from({ length: count }, (_, n) => [`notes/${mark}/${n}.md`, Buffer.from(of(n))]))
}

function pdfFiles(count: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const page = (n: number, at: number) =>
    Array.from({ length: 30 }, (_, line) => `${mark} ${n} ${sentence(n * 90 + at * 30 + line)}`)
  const of = (n: number) => samplePdf([page(n, 0), page(n, 1), page(n, 2)], `Report ${n}`)
  return new Map(Array.from({ length: count }, (_, n) => [`reports/${mark}/${n}.pdf`, of(n)]))
}

function bigText(megabytes: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const parts: string[] = []
  for (let size = 0, n = 0; size < megabytes * 1024 * 1024; n += 1) {
    const paragraph = `${Array.from({ length: 8 }, (_, at) => `${mark} ${n} ${sentence(n * 8 + at)}.`).join(' ')}\n\n`
    parts.push(paragraph)
    size += paragraph.length
  }
  return new Map([[`long/${mark}.txt`, Buffer.from(parts.join(''))]])
}

/** Resolves to the number of chunks when all files can be found. Throws when one could not be read. */
async function ingestAll(user: ApiUser, files: Files): Promise<number> {
  const all = [...files]
  const requests = Array.from({ length: Math.ceil(all.length / FILES_PER_REQUEST) }, (_, at) =>
    all.slice(at * FILES_PER_REQUEST, (at + 1) * FILES_PER_REQUEST),
  )
  const ids: string[] = []
  const send = async () => {
    for (let next = requests.shift(); next; next = requests.shift()) ids.push(await user.beginUpload(new Map(next)))
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, send))
  let chunks = 0
  for (const id of ids) chunks += await ended(user, id)
  return chunks
}

async function ended(user: ApiUser, id: string): Promise<number> {
  for (const until = performance.now() + LIMIT_MS; performance.now() < until; await sleep(100)) {
    const run = (await user.get(`/v1/ingestion-runs/${id}`)) as {
      readonly status: string
      readonly finished_at: string | null
      readonly chunks_written: number
      readonly errors: readonly string[]
    }
    if (run.finished_at === null) continue
    if (run.status !== 'success') throw new Error(`a run ended as ${run.status}: ${run.errors.slice(0, 3).join('; ')}`)
    return run.chunks_written
  }
  throw new Error('a run did not end')
}

/** Milliseconds of CPU for one file. */
async function startBaseline(stack: AsyncDisposableStack, model: string): Promise<(files: Files) => Promise<number>> {
  const dir = await temporaryDir(stack)
  const child = fork(join(import.meta.dirname, 'baselines/ingest.ts'), { env: { ...process.env, MODEL_URL: model } })
  endWith(stack, child)
  await firstMessage(child)
  return async (files) => {
    const names: string[] = []
    for (const [name, bytes] of files) {
      const path = join(dir, name.replaceAll('/', '_'))
      await writeFile(path, bytes)
      names.push(path)
    }
    const cost = await measure([{ name: 'bare', pid: child.pid ?? 0 }], async () => {
      child.send(names)
      await firstMessage(child)
      return files.size
    })
    return cpuOf(cost)
  }
}

async function commitsOf(database: pg.Client): Promise<number> {
  const { rows } = await database.query('select xact_commit from pg_stat_database where datname = current_database()')
  return Number(rows[0].xact_commit)
}

/** For one second in which nothing is asked. */
async function idleCommits(database: pg.Client): Promise<number> {
  const before = await commitsOf(database)
  await sleep(2 * COUNTED_MS)
  return ((await commitsOf(database)) - before) / ((2 * COUNTED_MS) / 1_000)
}

/** proc(5): utime and stime, fields 14 and 15 of stat, in hundredths of a second. */
async function ownCpuMs(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** proc(5): 5 resets the peak resident size. */
const resetPeak = (pid: number | undefined): Promise<void> => writeFile(`/proc/${pid}/clear_refs`, '5')

async function peakMb(pid: number | undefined): Promise<number> {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
}

import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../client.ts'
import { killAtRandom } from '../kill.ts'
import { startSystem } from '../running-system.ts'

interface IngestOptions {
  readonly files: number
  readonly kills: number
  readonly seed: number
}

interface SentFile {
  readonly name: string
  readonly text: string
  /** A word that no other file has. */
  readonly mark: string
}

export const MOST_FILES = 5_000
const PER_RUN = 50
const RUNS_AT_ONCE = 2
const PAUSE_MS = 500
const STUCK_MS = 120_000
const TARGETS = /^(ingestion|nats|postgres)/
const ENDED = new Set(['success', 'partial', 'failed', 'cancelled'])

/**
 * Kills ingestion, NATS and Postgres while files are ingested. False when an acknowledged file is lost, stuck, failed, or there twice: as a
 * document, in its chunks, or in the index by words or by vectors.
 */
export async function ingest(stack: AsyncDisposableStack, { files, kills, seed }: IngestOptions): Promise<boolean> {
  const system = await startSystem(stack, ['--replicas', 'ingestion=2'])
  const client = new Client(system.api, system.key)
  const waiting = Array.from({ length: Math.ceil(files / PER_RUN) }, (_, at) =>
    Array.from({ length: Math.min(PER_RUN, files - at * PER_RUN) }, (_unused, n) => newFile(at * PER_RUN + n)),
  )
  const sent = waiting.flat()
  const runs: string[] = []
  const killing = killAtRandom(system, { kills, seed, targets: TARGETS })
  const send = async () => {
    for (let batch = waiting.shift(); batch; batch = waiting.shift()) runs.push(await accepted(client, batch))
  }
  await Promise.all([killing, ...Array.from({ length: RUNS_AT_ONCE }, send)])
  const failures = await failedRuns(client, runs)
  const faults = await differences(client, sent)
  const deadLetters = await system.deadLetters()
  console.log(
    `seed ${seed}, ${kills} kills: ${runs.length} runs of ${sent.length} files, ${failures.length} did not end well, ` +
      `${faults.length} of ${sent.length} files differ, ${deadLetters} dead letters`,
  )
  for (const line of [...failures, ...faults].slice(0, 20)) console.log(`  ${line}`)
  const isWell = failures.length + faults.length + deadLetters === 0
  if (!isWell) console.log(`failed; the logs are in ${await system.keepLogs()}`)
  return isWell
}

function newFile(n: number): SentFile {
  const mark = `m${crypto.randomUUID().replaceAll('-', '')}`
  const sections = Array.from({ length: 1 + (n % 3) }, (_, at) => `## Part ${at}\n\nPart ${at} of the note ${mark}.\n`)
  return { name: `chaos/${n}.md`, mark, text: `# Note ${n}\n\nThe word of this note is ${mark}.\n\n${sections.join('\n')}` }
}

/** Sends until the system has acknowledged; the same files again are the same documents. Resolves to the id of the run. */
async function accepted(client: Client, files: readonly SentFile[]): Promise<string> {
  for (;;) {
    const form = new FormData()
    form.append('wait', 'false')
    for (const { name, text } of files) form.append('files', new Blob([text]), name)
    const sent = await client.uploadForm(form).catch(() => undefined)
    if (sent?.status === 202) return sent.body.run_id
    await sleep(PAUSE_MS)
  }
}

/** Waits for the end of each; it is stuck when it takes too long after the last kill. */
async function failedRuns(client: Client, runs: readonly string[]): Promise<string[]> {
  const failed: string[] = []
  for (const id of runs) {
    for (const until = Date.now() + STUCK_MS; ; await sleep(PAUSE_MS)) {
      const { status, body } = await client.calmly('GET', `/v1/ingestion-runs/${id}`)
      if (status === 200 && body.status === 'success') break
      const isOver = status === 404 || ENDED.has(body?.status)
      if (!isOver && Date.now() < until) continue
      failed.push(`run ${id}: ${isOver ? body?.status : 'stuck'} ${body?.errors?.slice(0, 3).join('; ') ?? ''}`)
      break
    }
  }
  return failed
}

/** One document of each path; each of its chunks found once by its word, and the document first by its vectors. */
async function differences(client: Client, files: readonly SentFile[]): Promise<string[]> {
  const documents = await client.list('/v1/documents', 'documents')
  const faults: string[] = []
  for (const { name, mark, text } of files) {
    const found = documents.filter(({ path }: { path: string }) => path === name)
    if (found.length !== 1) faults.push(`${name}: ${found.length} documents`)
    const { body: words } = await client.calmly('POST', '/v1/search', { query: mark, mode: 'lexical', top_k: 20 })
    const chunks: { chunk_id: string; document_id: string; text: string }[] = words?.results ?? []
    const own = chunks.filter(({ text: part }) => part.includes(mark))
    const isOnce = new Set(own.map(({ text: part }) => part)).size === own.length
    const count = found[0]?.chunk_count
    if (own.length !== count || !isOnce) faults.push(`${name}: ${own.length} hits by words for ${count} chunks`)
    const { body: near } = await client.calmly('POST', '/v1/search', { query: text, mode: 'dense', top_k: 3 })
    const isNear = near?.results?.some((hit: { document_id: string }) => hit.document_id === found[0]?.id)
    if (!isNear) faults.push(`${name}: not found by its vectors`)
  }
  return faults
}

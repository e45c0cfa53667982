import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IngestionRun } from '@youworker/contracts/ingestion'
import { type Print, seconds } from '../print.ts'
import type { GivenFile } from './collect-files.ts'
import { ApiError, type GatewayClient } from './gateway-client.ts'
import { readableFiles } from './readable-files.ts'

/** Upper limits of one upload request, well below those of the gateway. */
const BATCH = { files: 50, bytes: 60 * 1024 * 1024 } as const
const FINISHED: ReadonlySet<IngestionRun['status']> = new Set(['success', 'partial', 'failed', 'cancelled'])

export interface UploadOutcome {
  /** Ids of the given files' documents that can now be searched. */
  readonly documentIds: ReadonlySet<string>
  readonly failures: readonly string[]
}

export async function uploadFiles(gateway: GatewayClient, files: readonly GivenFile[], print: Print): Promise<UploadOutcome> {
  const began = performance.now()
  const documentIds = new Set<string>()
  const readable = await readableFiles(files)
  const failures = [...readable.failures]
  let chunks = 0
  let done = 0
  for (const batch of await inBatches(readable.files)) {
    const run = await ingest(
      gateway,
      batch,
      (ready) => done + ready < files.length && print(`Documents: ${done + ready} of ${files.length} read …`),
      failures,
    )
    done += batch.length
    for (const file of run?.files ?? []) {
      chunks += file.chunks
      if (file.document_id !== null && file.status === 'success') documentIds.add(file.document_id)
      else if (file.status !== 'success') failures.push(`${file.path}: ${file.error ?? `ended as ${file.status}`}`)
    }
  }
  print(
    `Documents: ${counted(documentIds.size, 'document')} ready to be asked, ${counted(chunks, 'passage')} (${seconds(performance.now() - began)})`,
  )
  for (const failure of failures) print(`  failed: ${failure}`)
  return { documentIds, failures }
}

async function ingest(
  gateway: GatewayClient,
  batch: readonly GivenFile[],
  onProgress: (ready: number) => unknown,
  failures: string[],
): Promise<IngestionRun | undefined> {
  let runId: string
  try {
    runId = await gateway.upload(batch)
  } catch (error) {
    const names = batch.map(({ name }) => name).join(', ')
    // The gateway closes the connection when a file is too large, sometimes before its answer can be read.
    if (isNetworkError(error))
      return void failures.push(`${names}: the upload was cut off; is a file larger than INGEST__MAX_FILE_MB (100)?`)
    if (!(error instanceof ApiError) || error.status >= 500) throw error
    if (error.details.length > 0) failures.push(...error.details.map(({ field, message }) => `${field}: ${message}`))
    else failures.push(`${names}: ${error.message}`)
    return undefined
  }
  for (let shown = 0, wait = 50; ; wait = Math.min(wait * 1.5, 1_000)) {
    const run = await gateway.ingestionRun(runId)
    if (FINISHED.has(run.status)) return run
    if (run.files_processed > shown) onProgress((shown = run.files_processed))
    await sleep(wait)
  }
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

/** fetch throws a TypeError with a cause for every network error. */
const isNetworkError = (error: unknown): boolean => error instanceof TypeError && error.cause !== undefined

async function inBatches(files: readonly GivenFile[]): Promise<GivenFile[][]> {
  const batches: GivenFile[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const file of files) {
    const { size } = await stat(file.path)
    const last = batches.at(-1)
    if (last === undefined || last.length >= BATCH.files || bytes + size > BATCH.bytes) {
      batches.push([file])
      bytes = size
    } else {
      last.push(file)
      bytes += size
    }
  }
  return batches
}

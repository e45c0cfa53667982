import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IngestionRun } from '@youworker/contracts/documents/runs'
import { counted, type Output, seconds } from '../print.ts'
import type { GivenFile } from './collect-files.ts'
import { ApiError, type GatewayClient, isNetworkError } from './gateway-client.ts'
import { Progress } from './progress.ts'
import { readableFiles } from './readable-files.ts'
import { sendInPieces } from './send-in-pieces.ts'

/** Upper limits of one upload request, well below those of the gateway. */
const BATCH = { files: 50, bytes: 60 * 1024 * 1024 } as const
/** Size of a file that is sent alone and in pieces, so that a cut connection does not begin it anew. */
const RESUMED_FROM = 8 * 1024 * 1024
const NOTHING = { files: 0, bytes: 0 } as const
const FINISHED: ReadonlySet<IngestionRun['status']> = new Set(['success', 'partial', 'failed', 'cancelled'])

export interface UploadOutcome {
  /** Ids of the given files' documents that can now be searched. */
  readonly documentIds: ReadonlySet<string>
  readonly failures: readonly string[]
}

interface SizedFile extends GivenFile {
  readonly bytes: number
}

export async function uploadFiles(
  gateway: GatewayClient,
  files: readonly GivenFile[],
  { output, collection }: { readonly output: Output; readonly collection?: string | undefined },
): Promise<UploadOutcome> {
  const began = performance.now()
  const documentIds = new Set<string>()
  const readable = await readableFiles(files)
  const sized = await Promise.all(
    readable.files.map(async (file): Promise<SizedFile> => ({ ...file, bytes: (await stat(file.path)).size })),
  )
  const failures = [...readable.failures]
  let chunks = 0
  {
    using progress = new Progress({ files: sized.length, bytes: bytesOf(sized) }, output)
    for (const batch of inBatches(sized)) {
      const run = await ingest(gateway, batch, { collection, failures, progress })
      progress.add({ files: batch.length, bytes: bytesOf(batch) })
      for (const file of run?.files ?? []) {
        chunks += file.chunks
        if (file.document_id !== null && file.status === 'success') documentIds.add(file.document_id)
        else if (file.status !== 'success') failures.push(`${file.path}: ${file.error ?? `ended as ${file.status}`}`)
      }
    }
  }
  output.print(
    `Documents: ${counted(documentIds.size, 'document')} ready to be asked, ${counted(chunks, 'passage')} (${seconds(performance.now() - began)})`,
  )
  for (const failure of failures) output.print(`  failed: ${failure}`)
  return { documentIds, failures }
}

interface Ingesting {
  readonly collection: string | undefined
  /** Gets a line for each file that was refused. */
  readonly failures: string[]
  readonly progress: Progress
}

async function ingest(
  gateway: GatewayClient,
  batch: readonly SizedFile[],
  { collection, failures, progress }: Ingesting,
): Promise<IngestionRun | undefined> {
  let runId: string
  const [first] = batch
  const sent = (bytes: number) => progress.show(NOTHING, `sending ${first?.name}, ${percent(bytes, first?.bytes)}`)
  try {
    runId =
      first !== undefined && first.bytes >= RESUMED_FROM
        ? await gateway.ingestUpload(await sendInPieces(gateway, first, sent), collection)
        : await gateway.upload(batch, collection)
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
  for (let wait = 50; ; wait = Math.min(wait * 1.5, 1_000)) {
    const run = await gateway.ingestionRun(runId)
    if (FINISHED.has(run.status)) return run
    showProgress(run, progress)
    await sleep(wait)
  }
}

function showProgress({ files, files_processed, status }: IngestionRun, progress: Progress): void {
  const bytes = files.reduce((total, { size_bytes, percent }) => total + (size_bytes * percent) / 100, 0)
  const current = files.find((file) => file.status === 'running')
  const doing = current ? `${current.path}, ${Math.floor(current.percent)} %` : undefined
  progress.show({ files: files_processed, bytes }, status === 'pending' ? 'waiting for earlier runs' : doing)
}

const percent = (bytes: number, of = 1): string => `${Math.floor((100 * bytes) / of)} %`

const bytesOf = (files: readonly SizedFile[]): number => files.reduce((total, { bytes }) => total + bytes, 0)

function inBatches(files: readonly SizedFile[]): SizedFile[][] {
  const batches: SizedFile[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const file of files) {
    const last = batches.at(-1)
    if (last === undefined || last.length >= BATCH.files || bytes + file.bytes > BATCH.bytes || file.bytes >= RESUMED_FROM) {
      batches.push([file])
      bytes = file.bytes >= RESUMED_FROM ? BATCH.bytes : file.bytes
    } else {
      last.push(file)
      bytes += file.bytes
    }
  }
  return batches
}

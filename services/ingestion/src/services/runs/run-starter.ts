import { AppError, type ErrorDetail } from '@youworker/contracts/errors'
import type { TimelineEntry } from '@youworker/contracts/documents/runs'
import { ingestion } from '@youworker/contracts/ingestion'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import { HEAD_BYTES, detectFileType } from '../../parsing/detect-file-type.ts'
import type { NewRunFile } from '../../repositories/run-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore, OpenPart } from '../files/blob-store.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { cleanText } from '@youworker/runtime/text/text'
import { documentPath } from '../documents/document-path.ts'
import { type SpaceAccess, notFound } from '../space-access.ts'
import { type RunTarget, runTarget } from './run-target.ts'

interface StartInput {
  readonly files: readonly { readonly blob_id: string; readonly name: string; readonly mime?: string | undefined }[]
  readonly tags: readonly string[]
  readonly collection?: string | undefined
  readonly collection_id?: string | undefined
  readonly group_id?: string | undefined
  readonly is_private: boolean
}

export const RUN_KIND = 'run'
/** First parts of files that are held at a time: 8 MB at most. */
const HEADS_AT_ONCE = 32

interface StarterDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly store: BlobStore
  readonly space: FreeSpace
  /** Workers take the run at once, instead of at their next poll. */
  readonly wake: () => void
}

export type Check = Pick<NewRunFile, 'path' | 'uri' | 'mime'> &
  ({ readonly code?: never } | { readonly code: 'UNSUPPORTED_MEDIA_TYPE' | 'VALIDATION_ERROR'; readonly reason: string })
export interface CheckedFile {
  readonly blob: BlobRow
  readonly check: Check
}

/** No file of the request can be ingested. Thrown inside the transaction to roll it back. */
class NoReadableFile extends Error {
  readonly checked: readonly CheckedFile[]

  constructor(checked: readonly CheckedFile[]) {
    super('no file of the request can be ingested')
    this.checked = checked
  }
}

/** Turns finished uploads into a run: one transaction writes the run, its files and its job. */
export class RunStarter {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess
  readonly #store: BlobStore
  readonly #space: FreeSpace
  readonly #wake: () => void

  constructor({ uow, access, store, space, wake }: StarterDependencies) {
    this.#uow = uow
    this.#access = access
    this.#store = store
    this.#space = space
    this.#wake = wake
  }

  async start(input: StartInput, context: UserContext): Promise<{ run_id: string }> {
    const { user_id } = context.caller
    const { spaces, target } = await runTarget(input, context, { uow: this.#uow, access: this.#access })
    await this.#space.require()
    const scope = this.#uow.in(spaces.all, spaces.shared)
    // Keys are fetched before the transaction, which must not wait for a second connection while it holds one.
    const uploads = await scope.read(({ blobs }) => blobs.getAll(input.files.map(({ blob_id }) => blob_id)))
    // A repeated request has uploaded the same bytes again as other blobs, so its hash is made of the content.
    const hashes = new Map(uploads.map(({ id, sha256 }) => [id, sha256]))
    const files = input.files.map(({ blob_id, ...file }) => ({ ...file, content: hashes.get(blob_id) ?? blob_id }))
    const { subject } = ingestion.startRun
    const request = { user_id, subject, key: context.idempotencyKey, request: { ...input, files } }
    const openPart = await this.#store.partOpener(uploads.map(({ space_id }) => space_id))
    try {
      const reference = await scope.write((repos) =>
        repos.idempotency.once(request, async () => {
          const blobs = await takeBlobs(repos, input, user_id)
          if (!blobs)
            throw notFound(
              spaces,
              new AppError('BLOB_NOT_FOUND', 'There is no such unused upload of yours; upload the file again'),
            )
          return storeRun(repos, { ...target, tags: input.tags }, await checkAll(repos, input, blobs, openPart), context)
        }),
      )
      this.#wake()
      return reference
    } catch (error) {
      if (!(error instanceof NoReadableFile)) throw error
      await scope.write(({ blobs }) => blobs.delete(error.checked.map(({ blob }) => blob.id)))
      throw refusal(error.checked)
    }
  }
}

/** What one member brings to a space keeps its order; it does not wait for what others bring. */
export const queueOf = ({ target_space_id, user_id }: { target_space_id: string; user_id: string }) =>
  `${target_space_id}/${user_id}`

async function checkAll(
  { blobs }: IngestionRepositories,
  input: StartInput,
  taken: readonly BlobRow[],
  openPart: OpenPart,
): Promise<CheckedFile[]> {
  const checked: CheckedFile[] = []
  for (let from = 0; from < taken.length; from += HEADS_AT_ONCE) {
    const some = taken.slice(from, from + HEADS_AT_ONCE)
    const parts = await blobs.firstParts(some.map(({ id }) => id))
    for (const [at, blob] of some.entries()) {
      const file = input.files[from + at]
      if (!file) continue
      const sealed = parts.get(blob.id)
      const head = sealed ? openPart(blob, 0, sealed).subarray(0, HEAD_BYTES) : new Uint8Array()
      checked.push({ blob, check: await checkFile(file, head) })
    }
  }
  return checked
}

async function checkFile(file: StartInput['files'][number], head: Uint8Array): Promise<Check> {
  try {
    const { path, uri } = documentPath(file.name)
    const check = await detectFileType(path, head, file.mime)
    if (check.ok) return { path, uri, mime: check.mime }
    return { path, uri, mime: null, code: check.code, reason: check.reason }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION_ERROR') throw error
    const path = cleanText(file.name, { controls: 'mark', lines: 'join' })
    return { path, uri: 'upload://', mime: null, code: 'VALIDATION_ERROR', reason: error.message }
  }
}

async function storeRun(
  repos: IngestionRepositories,
  { tags, ...target }: RunTarget['target'] & Pick<StartInput, 'tags'>,
  checked: readonly CheckedFile[],
  { caller }: UserContext,
) {
  const good = checked.filter(({ check }) => check.code === undefined)
  if (good.length === 0) throw new NoReadableFile(checked)
  const { user_id } = caller
  const { target_space_id } = target
  if (await repos.index.isErased(target_space_id)) throw new AppError('GROUP_NOT_FOUND', 'This group was deleted')
  const id = newId()
  const queue_key = queueOf({ target_space_id, user_id })
  const job = { id, kind: RUN_KIND, user_id, space_id: target_space_id, payload: { run_id: id }, queue_key }
  await repos.jobs.add({ ...job, progress_total: checked.length })
  const run = { id, space_id: user_id, user_id, tags: [...new Set(tags)], ...target }
  await repos.runs.add(run, checked.map(asFile))
  await repos.blobs.markUsed(good.map(({ blob }) => blob.id))
  await repos.blobs.delete(checked.filter((file) => !good.includes(file)).map(({ blob }) => blob.id))
  return { run_id: id }
}

/** The caller's finished and unused uploads, locked, in the order of the request; `undefined` when one is missing. */
async function takeBlobs({ blobs }: IngestionRepositories, input: StartInput, userId: string): Promise<BlobRow[] | undefined> {
  const ids = new Set(input.files.map(({ blob_id }) => blob_id))
  if (ids.size !== input.files.length) throw new AppError('VALIDATION_ERROR', 'Each upload can be named once in a run')
  const byId = new Map((await blobs.lockAllOwn([...ids], userId)).map((blob) => [blob.id, blob]))
  for (const id of ids) {
    const blob = byId.get(id)
    if (!blob || blob.used_at !== null) return undefined
    if (blob.space_id !== userId && blob.space_id !== input.group_id) {
      throw new AppError(
        'VALIDATION_ERROR',
        'An upload of this request was opened for another group; upload it again for this one',
      )
    }
    if (blob.finished_at === null)
      throw new AppError('VALIDATION_ERROR', 'An upload of this request is not finished yet; finish it first')
  }
  return input.files.flatMap(({ blob_id }) => byId.get(blob_id) ?? [])
}

export function asFile({ blob, check }: CheckedFile, index: number): NewRunFile {
  const { path, uri, mime } = check
  const base = { index, path, uri, mime, size_bytes: blob.size ?? 0, sha256: blob.sha256, timeline: beginningOf(blob, check) }
  if (check.code === undefined) {
    return { ...base, blob_id: blob.id, status: 'pending', stage: 'waiting', percent: 0, error: null }
  }
  return { ...base, blob_id: null, status: 'failed', stage: 'done', percent: 100, error: check.reason }
}

function beginningOf({ created_at, finished_at }: BlobRow, check: Check): TimelineEntry[] {
  const at = finished_at ?? created_at
  const fetched = { step: 'fetched', at, duration_ms: Math.max(0, Date.parse(at) - Date.parse(created_at)), attempt: 0 } as const
  const error = check.code === undefined ? {} : { error: check.reason }
  return [fetched, { step: 'sniffed', at: new Date().toISOString(), duration_ms: 0, attempt: 0, ...error }]
}

function refusal(checked: readonly CheckedFile[]): AppError {
  const bad = checked.flatMap(({ check }) => (check.code === undefined ? [] : [check]))
  const details: ErrorDetail[] = bad.slice(0, 20).map(({ path, reason }) => ({ field: path, message: reason }))
  const code = bad.every((check) => check.code === 'UNSUPPORTED_MEDIA_TYPE') ? 'UNSUPPORTED_MEDIA_TYPE' : 'VALIDATION_ERROR'
  const first = bad[0]
  const message =
    bad.length === 1 && first
      ? `${first.path}: ${first.reason}`
      : `None of the ${bad.length} files can be read: ${first?.path}: ${first?.reason}`
  return new AppError(code, message, { details })
}

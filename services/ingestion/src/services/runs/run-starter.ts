import { AppError, type ErrorDetail } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import { newId } from '@youworker/runtime/id'
import { HEAD_BYTES, judgeFile } from '../../parsing/file-kind.ts'
import type { NewRunFile } from '../../repositories/run-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import type { BlobStore, OpenPiece } from '../files/blob-store.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { documentPath, spaceOf } from '../documents/document-path.ts'
import { type SpaceAccess, notFound } from '../space-access.ts'

interface StartInput {
  readonly files: readonly { readonly blob_id: string; readonly name: string; readonly mime?: string | undefined }[]
  readonly tags: readonly string[]
  readonly collection?: string | undefined
  readonly group_id?: string | undefined
  readonly is_private: boolean
}

/** The kind of job that a run is. */
export const RUN_KIND = 'run'

interface StarterDependencies {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly store: BlobStore
  /** Tells workers that a run waits. */
  readonly wake: () => void
}

type Verdict = Pick<NewRunFile, 'path' | 'uri' | 'mime'> &
  ({ readonly code?: never } | { readonly code: 'UNSUPPORTED_MEDIA_TYPE' | 'VALIDATION_ERROR'; readonly reason: string })
interface Judged {
  readonly blob: BlobRow
  readonly verdict: Verdict
}

/** No file of the request can be ingested. Thrown inside the transaction, so that nothing of it stays. */
class NothingLeft extends Error {
  readonly judged: readonly Judged[]

  constructor(judged: readonly Judged[]) {
    super('no file of the request can be ingested')
    this.judged = judged
  }
}

/** Turns finished uploads into a run: one transaction writes the run, its files and its job. */
export class RunStarter {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess
  readonly #store: BlobStore
  readonly #wake: () => void

  constructor({ uow, access, store, wake }: StarterDependencies) {
    this.#uow = uow
    this.#access = access
    this.#store = store
    this.#wake = wake
  }

  async start(input: StartInput, context: UserContext): Promise<{ run_id: string }> {
    const { user_id } = context.caller
    const spaces = await this.#requireGroup(input.group_id, context)
    const scope = this.#uow.in(spaces.ids)
    // Keys are fetched before the transaction: it must not wait for a second connection while it holds one.
    const uploads = await scope.read(({ blobs }) => blobs.getAll(input.files.map(({ blob_id }) => blob_id)))
    // Whoever repeats a request has uploaded the same bytes again, as other blobs.
    const hashes = new Map(uploads.map(({ id, sha256 }) => [id, sha256]))
    const files = input.files.map(({ blob_id, ...file }) => ({ ...file, content: hashes.get(blob_id) ?? blob_id }))
    const { subject } = ingestion.startRun
    const request = { user_id, subject, key: context.idempotencyKey, request: { ...input, files } }
    const open = await this.#store.opener(uploads.map(({ space_id }) => space_id))
    try {
      const reference = await scope.write((repos) =>
        repos.idempotency.once(request, async () => {
          const blobs = await takeBlobs(repos, input, user_id)
          if (!blobs)
            throw notFound(
              spaces,
              new AppError('BLOB_NOT_FOUND', 'There is no such unused upload of yours; upload the file again'),
            )
          return storeRun(repos, input, await judgeAll(repos, input, blobs, open), context)
        }),
      )
      this.#wake()
      return reference
    } catch (error) {
      if (!(error instanceof NothingLeft)) throw error
      await scope.write(({ blobs }) => blobs.delete(error.judged.map(({ blob }) => blob.id)))
      throw refusal(error.judged)
    }
  }

  async #requireGroup(groupId: string | undefined, context: UserContext) {
    if (groupId === undefined) return this.#access.of(context)
    try {
      return await this.#access.require(context, groupId)
    } catch (error) {
      if (error instanceof AppError && error.code === 'GROUP_NOT_FOUND') {
        const { user_id: actor_id } = context.caller
        const denied = { actor_id, action: 'run.start', outcome: 'denied', target_type: 'group', target_id: groupId } as const
        await this.#uow.in([actor_id]).write(({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
      }
      throw error
    }
  }
}

async function judgeAll(
  { blobs }: IngestionRepositories,
  input: StartInput,
  taken: readonly BlobRow[],
  open: OpenPiece,
): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const [at, blob] of taken.entries()) {
    const file = input.files[at]
    if (!file) continue
    const sealed = blob.size === 0 ? undefined : await blobs.piece(blob.id, 0)
    const head = sealed ? open(blob, 0, sealed).subarray(0, HEAD_BYTES) : new Uint8Array()
    judged.push({ blob, verdict: await judge(file, head) })
  }
  return judged
}

async function judge(file: StartInput['files'][number], head: Uint8Array): Promise<Verdict> {
  try {
    const { path, uri } = documentPath(file.name)
    const verdict = await judgeFile(path, head, file.mime)
    if (verdict.ok) return { path, uri, mime: verdict.mime }
    return { path, uri, mime: null, code: verdict.code, reason: verdict.reason }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'VALIDATION_ERROR') throw error
    const path = file.name.toWellFormed().replaceAll(/\p{Cc}/gu, '\u{FFFD}')
    return { path, uri: 'upload://', mime: null, code: 'VALIDATION_ERROR', reason: error.message }
  }
}

async function storeRun(repos: IngestionRepositories, input: StartInput, judged: readonly Judged[], { caller }: UserContext) {
  const good = judged.filter(({ verdict }) => verdict.code === undefined)
  if (good.length === 0) throw new NothingLeft(judged)
  const { user_id } = caller
  const group_id = input.group_id ?? null
  const target_space_id = spaceOf({ user_id, group_id, is_private: input.is_private })
  const [state] = await repos.index.states([target_space_id])
  if (state?.erased_at != null) throw new AppError('GROUP_NOT_FOUND', 'This group was deleted')
  const id = newId()
  const job = { id, kind: RUN_KIND, user_id, space_id: target_space_id, payload: { run_id: id }, queue_key: target_space_id }
  await repos.jobs.add({ ...job, progress_total: judged.length })
  const { tags, collection = null, is_private } = input
  const run = { id, space_id: user_id, user_id, target_space_id, tags: [...new Set(tags)], collection, group_id, is_private }
  await repos.runs.add(run, judged.map(asFile))
  await repos.blobs.markUsed(good.map(({ blob }) => blob.id))
  await repos.blobs.delete(judged.filter((file) => !good.includes(file)).map(({ blob }) => blob.id))
  return { run_id: id }
}

/** The caller's finished and unused uploads, locked, in the order of the request; `undefined` when one is missing. */
async function takeBlobs({ blobs }: IngestionRepositories, input: StartInput, userId: string): Promise<BlobRow[] | undefined> {
  const ids = new Set(input.files.map(({ blob_id }) => blob_id))
  if (ids.size !== input.files.length) throw new AppError('VALIDATION_ERROR', 'Each upload can be named once in a run')
  const byId = new Map<string, BlobRow>()
  // Locked in one order everywhere, so that two requests for the same uploads cannot wait for each other.
  for (const id of [...ids].sort()) {
    const blob = await blobs.lockOwn(id, userId, 'update')
    if (!blob || blob.used_at !== null) return undefined
    if (blob.space_id !== userId && blob.space_id !== input.group_id) {
      throw new AppError(
        'VALIDATION_ERROR',
        'An upload of this request was opened for another group; upload it again for this one',
      )
    }
    if (blob.finished_at === null)
      throw new AppError('VALIDATION_ERROR', 'An upload of this request is not finished yet; finish it first')
    byId.set(id, blob)
  }
  return input.files.flatMap(({ blob_id }) => byId.get(blob_id) ?? [])
}

function asFile({ blob, verdict }: Judged, index: number): NewRunFile {
  const { path, uri, mime } = verdict
  const base = { index, path, uri, mime, size_bytes: blob.size ?? 0 }
  if (verdict.code === undefined) {
    return { ...base, blob_id: blob.id, status: 'pending', stage: 'waiting', percent: 0, error: null }
  }
  return { ...base, blob_id: null, status: 'failed', stage: 'done', percent: 100, error: verdict.reason }
}

function refusal(judged: readonly Judged[]): AppError {
  const bad = judged.flatMap(({ verdict }) => (verdict.code === undefined ? [] : [verdict]))
  const details: ErrorDetail[] = bad.slice(0, 20).map(({ path, reason }) => ({ field: path, message: reason }))
  const code = bad.every((verdict) => verdict.code === 'UNSUPPORTED_MEDIA_TYPE') ? 'UNSUPPORTED_MEDIA_TYPE' : 'VALIDATION_ERROR'
  const first = bad[0]
  const message =
    bad.length === 1 && first
      ? `${first.path}: ${first.reason}`
      : `None of the ${bad.length} files can be read: ${first?.path}: ${first?.reason}`
  return new AppError(code, message, { details })
}

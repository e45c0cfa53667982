import { AppError } from '@youworker/contracts/errors'
import type { FilePurpose, RowPage, StoredFile } from '@youworker/contracts/documents/stored-files'
import { isFileMime } from '@youworker/contracts/file-types'
import { ingestion } from '@youworker/contracts/ingestion'
import type { BlobRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import { detectFileType, HEAD_BYTES } from '../../parsing/detect-file-type.ts'
import type { FileRow } from '../../repositories/stores/file-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { documentPath, fileName } from '../documents/document-path.ts'
import type { BlobStore } from '../files/blob-store.ts'
import { notFound, type SpaceAccess } from '../space-access.ts'

interface FileParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly store: BlobStore
}

interface NewFile {
  readonly blob_id: string
  readonly mime?: string | undefined
  readonly purpose: FilePurpose
  readonly expires_after?: number | undefined
}

/** Of a document that came another way. */
const USUAL_PURPOSE: FilePurpose = 'assistants'
const UNKNOWN_TYPE = 'application/octet-stream'

/** Documents as the files of OpenAI's protocol, which are stored first and read once they are put into a store. */
export class FileService {
  readonly #parts: FileParts

  constructor(parts: FileParts) {
    this.#parts = parts
  }

  /** The file is a document of the caller's own space from now on, under a path of its own: equal names are different files. */
  async store(input: NewFile, context: UserContext): Promise<StoredFile> {
    const { uow, store } = this.#parts
    const { user_id } = context.caller
    const scope = uow.in([user_id])
    const upload = await scope.read(({ blobs }) => blobs.get(input.blob_id))
    if (!upload || upload.user_id !== user_id || upload.finished_at === null) throw noUpload()
    const head = (upload.pieces ?? 0) > 0 ? await store.part(upload, 0) : new Uint8Array()
    const check = await detectFileType(upload.name, head.subarray(0, HEAD_BYTES), input.mime)
    // What is not what it says it is cannot be read as that.
    const declared = input.mime === undefined || isFileMime(input.mime) ? UNKNOWN_TYPE : input.mime
    const mime = check.ok ? check.mime : declared
    // A repeated request has uploaded the same bytes again, so its hash is made of the content.
    const { blob_id: _blob, ...rest } = input
    const request = { ...rest, name: upload.name, content: upload.sha256 }
    const call = { user_id, subject: ingestion.storeFile.subject, key: context.idempotencyKey, request }
    return scope.write(async (repos) => {
      const { id } = await repos.idempotency.once(call, () => addFile(repos, upload, { ...input, mime }))
      const file = await repos.files.get(id)
      if (!file) throw noFile()
      return toFile(file)
    })
  }

  async list({ purpose, after, before, ...page }: RowPage & { purpose?: FilePurpose | undefined }, context: UserContext) {
    const { ids } = await this.#parts.access.of(context)
    return this.#parts.uow.in(ids).read(async ({ files }) => {
      const positionOf = async (id: string | undefined) => {
        const position = id === undefined ? undefined : await files.position(id)
        if (id !== undefined && !position) throw noFile()
        return position
      }
      const start = { ...page, after: await positionOf(after), before: await positionOf(before) }
      const { rows, has_more } = await files.list(ids, { ...start, purpose, usual: USUAL_PURPOSE })
      return { files: rows.map(toFile), has_more }
    })
  }

  async get({ file_id }: { readonly file_id: string }, context: UserContext): Promise<StoredFile> {
    const { uow, access } = this.#parts
    const { found, spaces } = await access.find(context, ({ ids }) => uow.in(ids).read(({ files }) => files.get(file_id)))
    if (!found) throw notFound(spaces, noFile())
    return toFile(found)
  }
}

async function addFile(
  repos: IngestionRepositories,
  { id: blob_id, user_id, size, sha256, name }: BlobRow,
  { mime, purpose, expires_after }: NewFile & { readonly mime: string },
): Promise<{ id: string }> {
  const blob = await repos.blobs.lockOwn(blob_id, user_id, 'update')
  if (!blob || blob.used_at !== null) throw noUpload()
  if (await repos.index.isErased(user_id)) throw noUpload()
  const id = newId()
  await repos.files.add({
    ...documentPath(`files/${id}/${name}`),
    id,
    space_id: user_id,
    user_id,
    title: fileName(name),
    mime,
    bytes_size: size ?? 0,
    source: 'upload',
    tags: [],
    collection: null,
    group_id: null,
    is_private: false,
    blob_id,
    sha256: sha256 ?? '',
    purpose,
    expires_after,
  })
  await repos.blobs.markUsed([blob_id])
  return { id }
}

const toFile = ({ path, purpose, ...file }: FileRow): StoredFile => {
  const { id, bytes_size, created_at, expires_at } = file
  return { id, name: fileName(path), bytes_size, purpose: purpose ?? USUAL_PURPOSE, created_at, expires_at }
}

const noUpload = () => new AppError('BLOB_NOT_FOUND', 'There is no such unused upload of yours; upload the file again')
export const noFile = () => new AppError('DOCUMENT_NOT_FOUND', 'There is no such file among yours; GET /v1/files lists them')

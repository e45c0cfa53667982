import { FileAge, FilePurpose, type StoredFile } from '@youworker/contracts/documents/stored-files'
import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { FormFields } from '../../files/part-writer.ts'
import { receiveUpload, type UploadLimits } from '../../files/receive-upload.ts'
import { type ContentDeps, sendContent } from '../../files/send-content.ts'
import { uploadStore } from '../../files/upload-store.ts'
import { defineRoute } from '../../http/define-route.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { refusal } from '../../protocols/run-input.ts'
import { documentIdOf, fileIdOf, secondsOf } from './file-ids.ts'
import { listOfRows, pageSize, rowList, rowQuery } from './row-list.ts'

const FileObject = z
  .object({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.number().int(),
    created_at: z.number().int(),
    expires_at: z.number().int().nullable(),
    filename: z.string(),
    purpose: FilePurpose,
    status: z.literal('processed').meta({ description: 'It is stored whole. Whether it was read, its vector stores tell.' }),
    status_details: z.null(),
  })
  .meta({ id: 'FileObject' })

const toFileObject = ({ id, name, bytes_size, purpose, created_at, expires_at }: StoredFile): z.output<typeof FileObject> => ({
  id: fileIdOf(id),
  object: 'file',
  bytes: bytes_size,
  created_at: secondsOf(created_at),
  expires_at: expires_at === null ? null : secondsOf(expires_at),
  filename: name,
  purpose,
  status: 'processed',
  status_details: null,
})

const Fields = z.object({
  purpose: FilePurpose,
  'expires_after[anchor]': z.literal('created_at').optional(),
  'expires_after[seconds]': z.coerce.number().pipe(FileAge).optional(),
})
const FORM = {
  properties: {
    file: { type: 'string', contentMediaType: 'application/octet-stream' },
    purpose: { type: 'string', enum: FilePurpose.options },
    'expires_after[anchor]': { type: 'string', enum: ['created_at'] },
    'expires_after[seconds]': { type: 'integer', minimum: FileAge.minValue, maximum: FileAge.maxValue },
  },
  required: ['file', 'purpose'],
}

/** An empty field counts as missing, because forms send them. */
function readForm(form: FormFields): z.output<typeof Fields> {
  const parsed = Fields.safeParse(Object.fromEntries(form.filter(([, value]) => value !== '')))
  if (!parsed.success) throw AppError.fromZod(parsed.error, 'The form')
  const { 'expires_after[anchor]': anchor, 'expires_after[seconds]': seconds } = parsed.data
  if ((anchor === undefined) !== (seconds === undefined))
    throw refusal('expires_after', 'It has an anchor, which is created_at, and seconds')
  return parsed.data
}

interface Deps extends ContentDeps {
  readonly uploadLimits: UploadLimits
}

async function create(context: RequestContext, { ingestion, authenticator, uploadLimits }: Deps): Promise<StoredFile> {
  const { incoming } = context
  if (!/^multipart\/form-data\b/i.test(incoming.headers['content-type'] ?? '')) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the file as multipart/form-data, in a part named `file`')
  }
  const client = async () => ingestion.as(await context.renewedScope(authenticator))
  const store = uploadStore(client, () => undefined)
  const { files, fields } = await receiveUpload(incoming, store, uploadLimits)
  const [file] = files
  if (!file || files.length > 1) throw refusal('file', 'Send one file, as a part named `file`')
  const { purpose, 'expires_after[seconds]': expires_after } = readForm(fields)
  const { blob_id, mime } = file
  return (await client()).storeFile({ blob_id, mime, purpose, expires_after }, context.idempotency)
}

const common = { tag: 'openai', auth: 'required' } as const
const read = {
  ...common,
  method: 'GET',
  scopes: ['documents', 'documents:read'],
  csrf: 'none',
  limit: 'default',
  errors: ['DOCUMENT_NOT_FOUND'],
} as const
const write = { ...common, scopes: ['documents'], csrf: 'required' } as const
const ONE = { path: '/v1/files/{file_id}', params: z.object({ file_id: z.string().max(200) }) } as const

export const fileRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/files',
    operation: 'createFile',
    summary:
      "Store a file, with the fields of OpenAI; it is a document with the id `file-` and the document's, and is read once it is put into a vector store",
    // Clients of the protocol send each file of many by itself.
    limit: 'default',
    body: 'multipart',
    form: FORM,
    answer: FileObject,
    errors: ['BLOB_NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'REQUEST_TIMEOUT'],
    async handle({ context }, deps: Deps) {
      return toFileObject(await create(context, deps))
    },
  }),
  defineRoute({
    ...read,
    path: '/v1/files',
    operation: 'listFiles',
    summary: 'The documents the caller may read, as files',
    query: rowQuery({ most: 10_000, usual: 10_000 }).extend({ purpose: FilePurpose.optional() }),
    answer: rowList(FileObject, 'FileList'),
    async handle({ query: { limit, after, ...query }, context }, { ingestion }: Deps) {
      const behind = after === undefined ? undefined : documentIdOf(after)
      const page = { ...query, limit: pageSize(limit), after: behind }
      const { files, has_more } = await ingestion.as(context.scope).listFiles(page)
      return listOfRows(files.map(toFileObject), has_more)
    },
  }),
  defineRoute({
    ...read,
    ...ONE,
    operation: 'getFile',
    summary: 'One file',
    answer: FileObject,
    async handle({ params, context }, { ingestion }: Deps) {
      return toFileObject(await ingestion.as(context.scope).getFile({ file_id: documentIdOf(params.file_id) }))
    },
  }),
  defineRoute({
    ...read,
    path: `${ONE.path}/content`,
    params: ONE.params,
    operation: 'downloadFile',
    summary: 'What was uploaded, as an attachment; takes a single Range',
    media: 'application/octet-stream',
    async handle({ params, context }, deps: Deps) {
      const file = { document_id: documentIdOf(params.file_id) }
      return sendContent(await deps.ingestion.as(context.scope).openContent(file), context, deps)
    },
  }),
  defineRoute({
    ...write,
    ...ONE,
    method: 'DELETE',
    operation: 'deleteFile',
    summary: 'Delete a file: it is gone from every vector store and search at once, and can be restored as its document',
    limit: 'default',
    answer: z.object({ id: z.string(), object: z.literal('file'), deleted: z.literal(true) }),
    errors: ['DOCUMENT_NOT_FOUND', 'NOT_GROUP_ADMIN'],
    async handle({ params: { file_id: id }, context }, { ingestion }: Deps) {
      await ingestion.as(context.scope).deleteDocument({ document_id: documentIdOf(id) })
      return { id, object: 'file', deleted: true } as const
    },
  }),
]

import { z } from 'zod'
import { Id, Time } from '../common.ts'
import { request } from '../define.ts'
import { LIMITS } from '../limits.ts'

/** What OpenAI's clients say a file is for. It means nothing here: each can be read once it is in a store. */
export const FilePurpose = z.enum(['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'])
export type FilePurpose = z.infer<typeof FilePurpose>

/** A document as a file: also one that nobody has asked to be read yet. */
export const StoredFile = z.object({
  id: Id.meta({ description: 'Of the document.' }),
  name: z.string(),
  bytes_size: z.number().int().min(0),
  purpose: FilePurpose,
  created_at: Time,
  expires_at: Time.nullable(),
})
export type StoredFile = z.infer<typeof StoredFile>

/** Lists of OpenAI's protocol go on behind a row that they name. */
export const RowPage = z.object({
  limit: z.number().int().min(1).max(LIMITS.listRows),
  order: z.enum(['asc', 'desc']),
  after: Id.optional(),
  before: Id.optional(),
})
export type RowPage = z.infer<typeof RowPage>

/** In seconds: an hour to 30 days. */
export const FileAge = z.number().int().min(3_600).max(2_592_000)

export const storedFiles = {
  /** A finished upload becomes a document that is not read: no search finds it before it is put into a store. */
  storeFile: request('rpc.ingestion.v1.file.store', {
    input: z.object({
      blob_id: Id,
      mime: z.string().max(255).optional(),
      purpose: FilePurpose,
      expires_after: FileAge.optional(),
    }),
    output: StoredFile,
    errors: ['BLOB_NOT_FOUND'],
  }),
  listFiles: request('rpc.ingestion.v1.file.list', {
    input: RowPage.extend({ purpose: FilePurpose.optional() }),
    output: z.object({ files: z.array(StoredFile), has_more: z.boolean() }),
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  getFile: request('rpc.ingestion.v1.file.get', {
    input: z.object({ file_id: Id }),
    output: StoredFile,
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
} as const

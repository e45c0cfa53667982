import { z } from 'zod'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'
import { DocumentId } from './documents.ts'

const Page = z.coerce.number().int().min(1).max(100_000).default(1)

export const previews = {
  /** A page of a document to look at: a picture, or HTML that loads and runs nothing. */
  previewDocument: request('rpc.ingestion.v1.document.preview', {
    reply: 'bytes',
    input: DocumentId.extend({ page: Page }),
    output: z.object({ mime: z.string(), pages: z.number().int(), version: z.string() }),
    errors: ['DOCUMENT_NOT_FOUND', 'UNSUPPORTED_MEDIA_TYPE'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
} as const

import { z } from 'zod'
import { Id, Line, Tags } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'
import { RunId } from './runs.ts'

/** Where a document came from. */
export const Source = z.enum(['upload', 'path', 'web'])
export type Source = z.infer<typeof Source>

export const SourceRequest = z.object({
  path_or_url: z
    .string()
    .trim()
    .min(1)
    .max(2_048)
    .meta({ description: 'A URL, or a path below INGEST__UPLOAD_ROOT on the server' }),
  from_web: z.boolean().optional().meta({ description: 'Without it: whether `path_or_url` begins with http:// or https://' }),
  recursive: z.boolean().default(false).meta({ description: 'With all files below a folder, or the pages of the same site' }),
  max_depth: z
    .number()
    .int()
    .min(1)
    .max(10)
    .default(3)
    .meta({ description: 'Of a site: at most so many links from the first page' }),
  max_pages: z.number().int().min(1).max(200).default(100).meta({ description: 'Of a site' }),
  tags: Tags.default([]),
  collection: Line(128).optional(),
  group_id: Id.optional(),
  is_private: z.boolean().default(false),
})
export type SourceRequest = z.infer<typeof SourceRequest>

export const sources = {
  /** A run that fetches its files itself. Paths of the server are for root alone, and not for its agent. */
  startSourceRun: request('rpc.ingestion.v1.run.start-from-source', {
    audience: ['api', 'run'],
    scopes: ['documents'],
    input: SourceRequest,
    output: RunId,
    errors: ['GROUP_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
  }),
} as const

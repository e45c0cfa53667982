import { Id } from '@youworker/contracts/common'
import { SourceRequest } from '@youworker/contracts/documents/sources'
import { ingestion } from '@youworker/contracts/ingestion'
import { z } from 'zod'
import { defineRoute } from '../http/define-route.ts'
import { acceptedRun, type RunWaitDeps, UploadAnswer, whenDone } from './upload-routes.ts'

const Body = SourceRequest.extend({
  wait: z.boolean().default(true).meta({ description: 'With `false` the answer is 202 `{run_id}` at once' }),
}).meta({ id: 'IngestBody' })

export const sourceRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/ingest',
    aliases: ['/v1/ingest/path'],
    tag: 'ingestion',
    operation: 'ingestSource',
    summary:
      'Ingest a page, a site, or for root a file or folder of the server; when the run does not end in time, the answer is 202 `{run_id}`',
    auth: 'required',
    scopes: ['documents'],
    csrf: 'required',
    limit: 'upload',
    body: Body,
    answer: UploadAnswer,
    accepted: z.object({ run_id: Id }),
    errors: ingestion.startSourceRun.errors,
    async handle({ body: { wait, ...source }, context }, deps: RunWaitDeps) {
      const { run_id } = await deps.ingestion.as(context.scope).startSourceRun(source, context.idempotency)
      return wait ? whenDone(run_id, context, deps) : acceptedRun(run_id, { headers: {} })
    },
  }),
]

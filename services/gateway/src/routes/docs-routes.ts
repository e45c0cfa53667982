import { buildAsyncApi } from '@youworker/contracts/topology/asyncapi'
import { z } from 'zod'
import { findFile, PAGES } from '../docs/pages.ts'
import { onFirstUse, StaticBody } from '../docs/static-body.ts'
import { defineRoute, type RouteDescription, type UnboundRoute } from '../http/define-route.ts'
import { buildOpenApi } from '../docs/openapi.ts'

/** Kept and asked for again each time. */
const REVALIDATED = 'no-cache'
/** The name changes with the content. */
const FOREVER = 'public, max-age=31536000, immutable'

const common = { method: 'GET', tag: 'docs', auth: 'none', csrf: 'none', limit: 'default' } as const

/** `routes` is the whole table, these routes included; it is read at the first request. */
export function docsRoutes(routes: () => readonly RouteDescription[]): UnboundRoute<unknown>[] {
  return [
    descriptionRoute('/openapi.json', 'getOpenApi', 'This API as OpenAPI 3.1', () => buildOpenApi(routes())),
    descriptionRoute('/asyncapi.json', 'getAsyncApi', 'The events on NATS as AsyncAPI 3.0', buildAsyncApi),
    ...PAGES.map(({ path, operation, summary, body, policy }) =>
      defineRoute({
        ...common,
        path,
        operation,
        summary,
        media: 'text/html',
        handle: async ({ context }) => (await body()).reply(context.incoming, REVALIDATED, { 'content-security-policy': policy }),
      }),
    ),
    defineRoute({
      ...common,
      path: '/favicon.ico',
      operation: 'getIcon',
      summary: 'The icon, which browsers also ask for beside answers that name none',
      media: 'application/octet-stream',
      handle: async ({ context }) => (await findFile('favicon.svg')).body.reply(context.incoming, REVALIDATED),
    }),
    defineRoute({
      ...common,
      path: '/docs/{asset}',
      operation: 'getDocsFile',
      summary: 'Files of these pages',
      params: z.object({ asset: z.string().max(64) }),
      media: 'application/octet-stream',
      async handle({ params: { asset }, context }) {
        const { body, isPresent } = await findFile(asset)
        return body.reply(context.incoming, isPresent ? FOREVER : REVALIDATED)
      },
    }),
  ]
}

function descriptionRoute(
  path: string,
  operation: string,
  summary: string,
  build: () => Record<string, unknown>,
): UnboundRoute<unknown> {
  const body = onFirstUse(() => StaticBody.of('application/json', JSON.stringify(build())))
  return defineRoute({
    ...common,
    path,
    operation,
    summary,
    answer: z.record(z.string(), z.unknown()),
    handle: async ({ context }) => (await body()).reply(context.incoming, REVALIDATED),
  })
}

import { readFile } from 'node:fs/promises'
import { AppError } from '@youworker/contracts/errors'
import { buildAsyncApi } from '@youworker/contracts/topology/asyncapi'
import { z } from 'zod'
import { defineRoute, type RouteDescription, type UnboundRoute } from '../http/define-route.ts'
import { buildOpenApi } from '../http/openapi.ts'
import { Reply } from '../http/reply.ts'

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>YouWorker API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null })
`
/** Swagger UI carries its icons as data URLs; everything else comes from this origin, nothing is inline. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

interface Asset {
  readonly type: string
  readonly url: string
}

const ASSETS: Readonly<Record<string, Asset>> = {
  'swagger-ui.css': { type: 'text/css; charset=utf-8', url: import.meta.resolve('swagger-ui-dist/swagger-ui.css') },
  'swagger-ui-bundle.js': {
    type: 'text/javascript; charset=utf-8',
    url: import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
  },
  'favicon-32x32.png': { type: 'image/png', url: import.meta.resolve('swagger-ui-dist/favicon-32x32.png') },
}
const DAY = 'public, max-age=86400'

const common = { method: 'GET', tag: 'docs', auth: 'none', csrf: 'none', limit: 'default' } as const

/** `routes` is the whole table, these routes included; it is read at the first request. */
export function docsRoutes(routes: () => readonly RouteDescription[]): UnboundRoute<unknown>[] {
  return [
    descriptionRoute('/openapi.json', 'This API as OpenAPI 3.1', () => buildOpenApi(routes())),
    descriptionRoute('/asyncapi.json', 'The events on NATS as AsyncAPI 3.0', buildAsyncApi),
    defineRoute({
      ...common,
      path: '/docs',
      summary: 'Swagger UI',
      media: 'text/html',
      handle: () =>
        Promise.resolve(
          new Reply(200, PAGE, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PAGE_POLICY }),
        ),
    }),
    defineRoute({
      ...common,
      path: '/docs/{asset}',
      summary: 'Files of Swagger UI',
      params: z.object({ asset: z.string().max(64) }),
      media: 'application/octet-stream',
      async handle({ params: { asset } }) {
        if (asset === 'start.js')
          return new Reply(200, START, { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': DAY })
        const file = Object.hasOwn(ASSETS, asset) ? ASSETS[asset] : undefined
        if (!file) throw new AppError('ROUTE_NOT_FOUND', 'There is no such file; GET /docs is the page')
        const bytes = await readFile(new URL(file.url))
        return new Reply(200, bytes, { 'content-type': file.type, 'cache-control': DAY })
      },
    }),
  ]
}

/** Built at the first request. */
function descriptionRoute(path: string, summary: string, build: () => Record<string, unknown>): UnboundRoute<unknown> {
  let json: string | undefined
  return defineRoute({
    ...common,
    path,
    summary,
    answer: z.record(z.string(), z.unknown()),
    async handle() {
      json ??= JSON.stringify(build())
      return new Reply(200, json, { 'content-type': 'application/json' })
    },
  })
}

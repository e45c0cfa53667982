import { readFile } from 'node:fs/promises'
import { AppError } from '@youworker/contracts/errors'
import { HOME, HOME_STYLE, ICON } from './home-page.ts'
import { onFirstUse, StaticBody } from './static-body.ts'

const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'

const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null })
`
const fileAt = (url: string, type: string) => onFirstUse(async () => StaticBody.of(type, await readFile(new URL(url))))

/** The files of all pages, by name. */
const FILES: Readonly<Record<string, () => Promise<StaticBody>>> = {
  'favicon.svg': onFirstUse(() => StaticBody.of('image/svg+xml', ICON)),
  'home.css': onFirstUse(() => StaticBody.of(STYLE, HOME_STYLE)),
  'swagger-ui.css': fileAt(import.meta.resolve('swagger-ui-dist/swagger-ui.css'), STYLE),
  'swagger-ui-bundle.js': fileAt(import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'), SCRIPT),
  'start.js': onFirstUse(() => StaticBody.of(SCRIPT, START)),
  'redoc.js': fileAt(import.meta.resolve('redoc/bundles/redoc.standalone.js'), SCRIPT),
}

/** The file at `/docs/<name>`, with or without a version in the name, and whether that version is the present one. */
export async function findFile(asset: string): Promise<{ body: StaticBody; isPresent: boolean }> {
  const [, stem = '', version, ending = ''] = /^([\w-]+)(?:\.([0-9a-f]{16}))?(\.\w+)$/.exec(asset) ?? []
  const file = Object.hasOwn(FILES, stem + ending) ? FILES[stem + ending] : undefined
  if (!file) throw new AppError('ROUTE_NOT_FOUND', 'There is no such file; GET /docs is the page')
  const body = await file()
  return { body, isPresent: body.version === version }
}

async function urlOf(name: string): Promise<string> {
  const { body } = await findFile(name)
  return `/docs/${name.replace(/(?=\.\w+$)/, `.${body.version}`)}`
}

interface Page {
  readonly path: string
  readonly operation: string
  readonly summary: string
  readonly body: () => Promise<StaticBody>
  readonly policy: string
}

function page(
  about: Pick<Page, 'path' | 'operation' | 'summary'>,
  { content, styles = '' }: { content: string; styles?: string },
): Page {
  const make = async () => {
    let html = HEAD + content + TAIL
    for (const name of Object.keys(FILES)) if (html.includes(`{${name}}`)) html = html.replaceAll(`{${name}}`, await urlOf(name))
    return StaticBody.of('text/html; charset=utf-8', html)
  }
  return { ...about, body: onFirstUse(make), policy: policyOf(styles) }
}

/** Icons and fonts are data URLs in the scripts; everything else comes from this origin. */
const policyOf = (styles: string): string =>
  `default-src 'none'; script-src 'self'; style-src 'self'${styles}; img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const HEAD = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>YouWorker</title>
<link rel="icon" href="{favicon.svg}" type="image/svg+xml">
`
const TAIL = `</body>
</html>
`
const SWAGGER = `<link rel="stylesheet" href="{swagger-ui.css}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{swagger-ui-bundle.js}"></script>
<script src="{start.js}"></script>
`
// Its makers' figures and logo would come from their servers: the first is off, the policy stops the second.
const REDOC = `</head>
<body>
<redoc spec-url="/openapi.json" disable-telemetry="true"></redoc>
<script type="module" src="{redoc.js}"></script>
`
/** Redoc writes its rules through an empty style element, which this hash of nothing allows, and no other one. */
const EMPTY_STYLE = " 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

export const PAGES: readonly Page[] = [
  page({ path: '/', operation: 'showHome', summary: 'What this is, and where to go on' }, { content: HOME }),
  page({ path: '/docs', operation: 'showDocs', summary: 'Swagger UI' }, { content: SWAGGER }),
  page({ path: '/redoc', operation: 'showRedoc', summary: 'Redoc' }, { content: REDOC, styles: EMPTY_STYLE }),
]

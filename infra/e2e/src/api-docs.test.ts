import { afterAll, beforeAll, expect, test } from 'vitest'
import { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let stranger: Person

beforeAll(async () => {
  system = await startTestSystem()
  stranger = new Person(system.api, '')
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

/** Routes that published clients use. */
const PROMISED = [
  ...['auto-login', 'login', 'logout'].map((name) => `POST /v1/auth/${name}`),
  ...['me', 'csrf-token'].map((name) => `GET /v1/auth/${name}`),
  'POST /v1/admin/users',
  ...['chat', 'simple-chat', 'unified-chat', 'search', 'ingest/upload'].map((name) => `POST /v1/${name}`),
  'GET /v1/runs/{}',
  'GET /v1/runs/{}/events',
  'POST /v1/runs/{}/stop',
  'GET /v1/tool-runs',
  ...['GET', 'POST'].map((method) => `${method} /v1/sessions`),
  ...['GET', 'PATCH', 'DELETE'].map((method) => `${method} /v1/sessions/{}`),
  'GET /v1/ingestion-runs',
  'GET /v1/ingestion-runs/{}',
  'DELETE /v1/ingestion-runs/{}',
  'GET /v1/ingestion-runs/{}/events',
  ...['cancel', 'retry'].map((name) => `POST /v1/ingestion-runs/{}/${name}`),
  'GET /v1/documents',
  'GET /v1/documents/{}',
  'DELETE /v1/documents/{}',
  'GET /v1/documents/{}/content',
  'GET /v1/groups',
  'POST /v1/groups',
  'GET /v1/groups/me',
  'GET /v1/groups/{}/members',
  'POST /v1/groups/{}/members',
  ...['GET', 'PATCH', 'PUT', 'DELETE'].map((method) => `${method} /v1/groups/{}`),
  ...['PATCH', 'PUT', 'POST', 'DELETE'].map((method) => `${method} /v1/groups/{}/members/{}`),
  'GET /v1/tasks',
  'GET /v1/tasks/{}',
  'POST /v1/tasks/{}/cancel',
  ...[
    'overview',
    'dashboard',
    'tokens-timeline',
    'tokens',
    'tool-performance',
    'tool-timeline',
    'ingestion-stats',
    'session-activity',
  ].map((name) => `GET /v1/analytics/${name}`),
  'GET /v1/analytics/sessions/{}',
  ...['health', 'health/detailed', 'health/live', 'health/ready', 'openapi.json', 'asyncapi.json', 'docs', 'metrics'].map(
    (name) => `GET /${name}`,
  ),
]

test('/openapi.json describes the promised routes, each described route is served, and each reference resolves', async () => {
  const { status, body } = await stranger.get('/openapi.json')
  expect([status, body.openapi]).toEqual([200, '3.1.0'])
  const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
  expect(references.length).toBeGreaterThan(50)
  for (const name of new Set(references)) expect(Object.keys(body.components.schemas)).toContain(name)
  expect([...JSON.stringify(body).matchAll(/"\$ref":"(?!#)/g)]).toEqual([])
  const described = Object.entries<Record<string, { responses: Record<string, unknown> }>>(body.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        path,
        method: method.toUpperCase(),
        codes: Object.keys(responses),
      })),
  )
  for (const { path, method, codes } of described) {
    const answer = await stranger.fetch(path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000'), {
      method: 'OPTIONS',
    })
    expect(answer.headers.get('allow')?.split(', '), path).toContain(method)
    expect(
      codes.some((code) => /^(2\d\d|101)$/.test(code)),
      `${method} ${path}: ${codes.join()}`,
    ).toBe(true)
  }
  const served = described.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`)
  expect(served).toEqual(expect.arrayContaining(PROMISED))
})

test('/ says what this is, with an icon and links that work, and loads nothing from another host', async () => {
  const page = await stranger.fetch('/')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; (?:[a-z-]+ '(?:self|none)'(?:; |$))+$/)
  const text = await page.text()
  expect(text).toContain('X-API-Key')
  expect(text).not.toMatch(/https?:|<script| style=/)
  const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
  expect(links).toEqual(expect.arrayContaining(['/favicon.svg', '/docs', '/openapi.json']))
  for (const link of [...links, '/favicon.ico']) {
    const { status, headers } = await stranger.fetch(link)
    expect([link, status, headers.get('x-content-type-options')]).toEqual([link, 200, 'nosniff'])
  }
})

test('/docs loads nothing from another host', async () => {
  const read = async (path: string) => {
    const response = await stranger.fetch(path)
    expect([path, response.status]).toEqual([path, 200])
    return { text: await response.text(), policy: response.headers.get('content-security-policy') ?? '' }
  }
  const page = await read('/docs')
  const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source)
  expect(sources.length).toBeGreaterThan(2)
  for (const source of sources) expect(source).toMatch(/^\/docs\//)
  const starter = sources.filter((source) => source.endsWith('.js') && !source.includes('bundle'))
  for (const source of sources) {
    const { text } = await read(source)
    if (source.endsWith('.css')) expect(text).not.toMatch(/@import|url\(\s*["']?(https?:)?\/\//)
    if (starter.includes(source)) expect(text).not.toMatch(/https?:\/\//)
  }
  expect(page.text).not.toMatch(/https?:\/\//)
  // The policy keeps the browser from loading anything else that the library may request.
  expect(page.policy).toContain("default-src 'none'")
  expect(page.policy).not.toMatch(/https?:|\*/)
})

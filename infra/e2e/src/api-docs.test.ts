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

test('each route that /openapi.json describes is served, and each reference resolves', async () => {
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
  expect(described.length).toBeGreaterThan(60)
})

test('/ says what this is, with an icon and links that work, and loads nothing from another host', async () => {
  const page = await stranger.fetch('/')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; (?!.*unsafe)(?!.*https?:)/)
  const text = await page.text()
  expect(text).toContain('X-API-Key')
  expect(text).not.toMatch(/https?:|<script| style=/)
  const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
  expect(links).toEqual(expect.arrayContaining([expect.stringMatching('/docs/favicon'), '/docs', '/redoc', '/openapi.json']))
  for (const link of [...links, '/favicon.ico']) {
    const { status, headers } = await stranger.fetch(link)
    expect([link, status, headers.get('x-content-type-options')]).toEqual([link, 200, 'nosniff'])
  }
})

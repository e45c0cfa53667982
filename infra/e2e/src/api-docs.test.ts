import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createClient } from '@hey-api/openapi-ts'
import openapiTS, { astToString } from 'openapi-typescript'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Person } from './support/person.ts'
import { ROOT } from './support/root.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const stack = new AsyncDisposableStack()
let system: TestSystem
let stranger: Person

beforeAll(async () => {
  system = stack.use(await startTestSystem())
  stranger = new Person(system.api, '')
}, 120_000)
afterAll(() => stack.disposeAsync())

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

const TSCONFIG = {
  compilerOptions: {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: 'esnext',
    module: 'esnext',
    moduleResolution: 'bundler',
    allowImportingTsExtensions: true,
    lib: ['esnext', 'dom', 'dom.asynciterable'],
    types: [],
  },
}
const WITH_OPENAPI_FETCH = `
import createClient from 'openapi-fetch'
import type { components, paths } from './schema.ts'

export async function ask(baseUrl: string, key: string, text_input: string): Promise<string> {
  const client = createClient<paths>({ baseUrl, headers: { 'X-API-Key': key } })
  const groups = await client.GET('/v1/groups')
  const names: string[] | undefined = groups.data?.groups.map(({ name }) => name)
  if (names === undefined) throw new Error(groups.error?.error.message)
  const found = await client.POST('/v1/search', { body: { query: 'anything' } })
  const hits: components['schemas']['SearchAnswer']['results'] = found.data?.results ?? []
  const { data } = await client.POST('/v1/chat', { body: { text_input }, parseAs: 'stream' })
  const frames = await new Response(data).text()
  return JSON.stringify({ groups: names.length, hits: hits.length, done: frames.includes('event: done') })
}
`
const WITH_HEY_API = `
import { createClient } from './sdk/client/index.ts'
import { chat, listGroups, searchDocuments, streamRun } from './sdk/sdk.gen.ts'

export async function ask(baseUrl: string, key: string, text_input: string): Promise<string> {
  const client = createClient({ baseUrl, headers: { 'X-API-Key': key } })
  const groups = await listGroups({ client, throwOnError: true })
  const found = await searchDocuments({ client, body: { query: 'anything' }, throwOnError: true })
  const { data: answer } = await chat({ client, body: { text_input, stream: false }, throwOnError: true })
  const { stream } = await streamRun({ client, path: { run_id: answer.run_id } })
  let text = ''
  for await (const data of stream) {
    if ('text' in data) text += data.text
    // This client takes every end of a stream for a cut, and would connect again.
    if ('citations' in data) break
  }
  const done = 'content' in answer && answer.content !== '' && answer.content === text
  return JSON.stringify({ groups: groups.data.groups.length, hits: found.data.results.length, done })
}
`

test('clients made by openapi-typescript and by @hey-api/openapi-ts compile, and make the call of the README', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-clients-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  await mkdir(join(dir, 'node_modules'))
  const library = dirname(fileURLToPath(import.meta.resolve('openapi-fetch/package.json')))
  await symlink(library, join(dir, 'node_modules/openapi-fetch'))
  const { body: description } = await stranger.get('/openapi.json')
  const sdk = { path: join(dir, 'sdk'), module: { extension: '.ts' } } as const
  const plugins = ['@hey-api/typescript', '@hey-api/sdk', '@hey-api/client-fetch'] as const
  await createClient({ input: structuredClone(description), output: sdk, plugins: [...plugins], logs: { level: 'silent' } })
  const files = {
    'schema.ts': astToString(await openapiTS(description)),
    'with-openapi-fetch.ts': WITH_OPENAPI_FETCH,
    'with-hey-api.ts': WITH_HEY_API,
    'tsconfig.json': JSON.stringify(TSCONFIG),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text)
  const tsc = [join(ROOT, 'node_modules/typescript-native/bin/tsc'), '-p', dir]
  const compiled = await promisify(execFile)(process.execPath, tsc).catch(({ stdout }: { stdout: string }) => ({ stdout }))
  expect(compiled.stdout).toBe('')

  const ada = await system.newPerson('ada')
  for (const name of ['with-openapi-fetch.ts', 'with-hey-api.ts']) {
    const { ask } = (await import(join(dir, name))) as { ask: (...args: string[]) => Promise<string> }
    const answer = JSON.parse(await ask(system.api, ada.key ?? '', 'How are files encrypted?'))
    expect([name, answer]).toEqual([name, { groups: 0, hits: 0, done: true }])
  }
}, 120_000)

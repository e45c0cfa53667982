import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { ERROR_STATUS } from '@youworker/contracts/errors'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { type Answer, failure, Person } from './support/person.ts'

let system: TestSystem
let ada: Person

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

function expectFailure({ status, headers, body }: Answer, code: keyof typeof ERROR_STATUS) {
  expect(body).toMatchObject(failure(code))
  expect(status).toBe(ERROR_STATUS[code])
  expect(headers.get('x-correlation-id')).toBe(body.error.correlation_id)
  expect(body.error.message.length).toBeGreaterThan(10)
}

test('wrong, missing and malformed credentials are refused', async () => {
  const strangers: Record<string, string>[] = [
    {},
    { 'x-api-key': 'yw_wrong' },
    { authorization: 'Bearer nonsense' },
    { authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' },
    { authorization: 'Basic abc' },
    { cookie: 'youworker_token=stolen' },
  ]
  for (const headers of strangers) {
    const answer = await new Person(system.api, '').call('GET', '/v1/auth/me', undefined, headers)
    expectFailure(answer, 'NOT_AUTHENTICATED')
    expect(answer.body.error.message).toContain('Not authenticated')
  }
  expectFailure(
    await new Person(system.api, '').post('/v1/auth/login', { username: 'ada', password: 'wrong' }),
    'NOT_AUTHENTICATED',
  )
  expectFailure(await new Person(system.api, '').post('/v1/auth/auto-login', { api_key: 'yw_wrong' }), 'NOT_AUTHENTICATED')
})

test('unknown routes and methods are refused', async () => {
  expectFailure(await ada.get('/v1/nothing'), 'ROUTE_NOT_FOUND')
  expectFailure(await ada.call('DELETE', '/v1/search'), 'METHOD_NOT_ALLOWED')
})

test.each([
  ['/v1/documents/not-a-uuid'],
  ['/v1/ingestion-runs/1'],
  ['/v1/runs/%00'],
  ['/v1/groups/123e4567'],
  ['/v1/tasks/x'],
  ['/v1/documents?limit=100000'],
  ['/v1/documents?limit=abc'],
  ['/v1/analytics/overview?days=0'],
])('GET %s is a validation error', async (path) => {
  expectFailure(await ada.get(path), 'VALIDATION_ERROR')
})

test('an unknown session reference of any form is not found', async () => {
  expectFailure(await ada.get('/v1/sessions/no-such-session'), 'SESSION_NOT_FOUND')
  expectFailure(await ada.post('/v1/chat', { text_input: 'hi', session_id: 'no-such-session' }), 'SESSION_NOT_FOUND')
})

test.each([
  ['broken JSON', '{"query":'],
  ['a JSON text where an object is due', '"query"'],
  ['null', 'null'],
  ['prototype keys', '{"__proto__":{"query":"x"},"constructor":1}'],
  ['deep JSON', '['.repeat(5_000) + ']'.repeat(5_000)],
  ['a wrong type', '{"query":{"$ne":null}}'],
  ['nothing', ''],
])('%s as a body is a validation error', async (_, body) => {
  const response = await ada.fetch('/v1/search', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject(failure('VALIDATION_ERROR'))
})

test('invalid UTF-8 and an unsupported content type are refused', async () => {
  const post = (contentType: string, body: string | Uint8Array<ArrayBuffer>) =>
    ada.fetch('/v1/search', { method: 'POST', headers: { 'content-type': contentType }, body })
  expect((await post('application/json', Uint8Array.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]))).status).toBe(400)
  const wrong = await post('text/plain', 'query=x')
  expect(wrong.status).toBe(415)
  expect(await wrong.json()).toMatchObject(failure('UNSUPPORTED_MEDIA_TYPE'))
  expectFailure(await ada.post('/v1/ingest/upload', { files: [] }), 'UNSUPPORTED_MEDIA_TYPE')
})

test('questions over 64 KiB are refused', async () => {
  expectFailure(await ada.post('/v1/chat', { text_input: 'x'.repeat(1024 * 1024) }), 'PAYLOAD_TOO_LARGE')
  expectFailure(await ada.post('/v1/chat', { text_input: 'é'.repeat(40 * 1024) }), 'PAYLOAD_TOO_LARGE')
  expectFailure(await ada.post('/v1/simple-chat', { message: 'x'.repeat(70 * 1024) }), 'PAYLOAD_TOO_LARGE')
  expect((await ada.get('/v1/sessions')).body.total).toBe(0)
})

test('a chat without a question is refused', async () => {
  for (const body of [
    {},
    { text_input: '' },
    { text_input: ' \n ' },
    { messages: [] },
    { messages: [{ role: 'system', content: 'obey' }] },
  ]) {
    expectFailure(await ada.post('/v1/chat', body), 'VALIDATION_ERROR')
  }
})

test('an upload of 101 MB is refused and stores nothing', async () => {
  const answer = await ada.upload([{ name: 'big.txt', content: new Uint8Array(101 * 1024 * 1024).fill(0x61) }])
  expectFailure(answer, 'PAYLOAD_TOO_LARGE')
  expect((await ada.get('/v1/documents')).body.total).toBe(0)
})

test('files that are empty, of an unsupported type or not of the type of their name are refused', async () => {
  expectFailure(await ada.upload([{ name: 'empty.md', content: '' }]), 'VALIDATION_ERROR')
  expectFailure(await ada.upload([{ name: 'lie.md', content: samplePdf([['x']]) }]), 'UNSUPPORTED_MEDIA_TYPE')
  expectFailure(await ada.upload([{ name: 'fake.pdf', content: 'I am no PDF' }]), 'UNSUPPORTED_MEDIA_TYPE')
  expectFailure(
    await ada.upload([{ name: 'tool.exe', content: new Uint8Array([0x4d, 0x5a, 0x90, 0, 3, 0, 0, 0]) }]),
    'UNSUPPORTED_MEDIA_TYPE',
  )
  expectFailure(await ada.upload([]), 'VALIDATION_ERROR')
  expect((await ada.get('/v1/ingestion-runs')).body.total).toBe(0)
})

test('the path of an uploaded file loses its ..', async () => {
  const { body } = await ada.upload([{ name: '../../etc/passwd.md', content: '# X\n\nx' }])
  for (const { path } of body.files ?? []) expect(path).not.toContain('..')
})

test('malformed HTTP gets 400', async () => {
  const { hostname, port } = new URL(system.api)
  const socket = connect(Number(port), hostname)
  socket.end('GET /v1/health HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n')
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  expect((await ada.get('/health/live')).status).toBe(200)
})

test('errors carry CORS headers for an allowed origin and none for others', async () => {
  const allowed = await ada.call('GET', '/v1/nothing', undefined, { origin: system.frontendOrigin })
  expect(allowed.headers.get('access-control-allow-origin')).toBe(system.frontendOrigin)
  expect(allowed.headers.get('access-control-allow-credentials')).toBe('true')
  const other = await ada.call('GET', '/v1/nothing', undefined, { origin: 'https://evil.example' })
  expect(other.headers.get('access-control-allow-origin')).toBeNull()
})

test('no credential was logged', () => {
  const logs = system.logs()
  expect(logs).not.toContain(ada.key)
  expect(logs).not.toContain('yw_wrong')
  expect(logs).not.toContain('youworker_token=stolen')
})

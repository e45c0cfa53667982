import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { discardRest } from '../http/read-body.ts'
import type { LeastRate } from './arrival-rate.ts'
import { cleanName, type ReceivedUpload, receiveUpload } from './receive-upload.ts'
import { readFields } from '../routes/upload-routes.ts'

const MB = 1024 * 1024
const MAX = 3 * MB

/** Keeps the parts, and counts how many were being written at the same time. */
class MemoryStore {
  readonly blobs = new Map<string, { name: string; parts: Buffer[]; sha256?: string }>()
  writing = 0
  mostWriting = 0
  failure: AppError | undefined
  delayMs = 0

  async store(name: string, _fields: unknown, bytes: Uint8Array) {
    const id = await this.create(name)
    if (bytes.length > 0) await this.write(id, 0, bytes)
    return id
  }

  async create(name: string) {
    const id = `blob-${this.blobs.size}`
    this.blobs.set(id, { name, parts: [] })
    return id
  }

  async write(blobId: string, index: number, bytes: Uint8Array) {
    this.mostWriting = Math.max(this.mostWriting, ++this.writing)
    await sleep(this.delayMs)
    this.writing--
    if (this.failure) throw this.failure
    const { parts } = this.blobs.get(blobId) ?? { parts: [] }
    parts[index] = Buffer.from(bytes)
  }

  async finish(blobId: string, count: number, sha256: string) {
    const blob = this.blobs.get(blobId)
    if (!blob || blob.parts.length !== count) throw new Error('parts are missing')
    blob.sha256 = sha256
    return { size: Buffer.concat(blob.parts).length }
  }
}

let store = new MemoryStore()
let leastRate: LeastRate = { bytesPerSecond: 1_024 }
const server = createServer((incoming, outgoing) => {
  outgoing.once('finish', () => discardRest(incoming))
  receiveUpload(incoming, store, { maxBytes: MAX, leastRate }).then(
    (upload) => outgoing.end(JSON.stringify(upload)),
    (error: unknown) => {
      outgoing.statusCode = error instanceof AppError ? ERROR_STATUS[error.code] : 500
      outgoing.end(error instanceof AppError ? error.code : String(error))
    },
  )
})
let url = ''
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => void server.close())

async function post(form: FormData): Promise<{ status: number; text: string; upload: ReceivedUpload }> {
  store = new MemoryStore()
  const answer = await fetch(url, { method: 'POST', body: form })
  const text = await answer.text()
  return { status: answer.status, text, upload: answer.ok ? JSON.parse(text) : { files: [], fields: [] } }
}

test('files arrive complete, in parts of equal size, at most four written at the same time', async () => {
  const big = Buffer.alloc(2 * MB + 12_345, 'abcdefg')
  const form = new FormData()
  form.append('tags', 'a')
  form.append('files', new Blob([big], { type: 'text/plain' }), 'notes/größe 🙂.txt')
  form.append('files', new Blob(['small']), 'small.md')
  form.append('files', new Blob([]), 'empty.txt')
  form.append('tags', 'b')
  const { upload } = await post(form)
  expect(upload.fields).toEqual([
    ['tags', 'a'],
    ['tags', 'b'],
  ])
  expect(upload.files).toEqual([
    { blob_id: expect.any(String), name: 'notes/größe 🙂.txt', mime: 'text/plain' },
    { blob_id: expect.any(String), name: 'small.md' },
    { blob_id: expect.any(String), name: 'empty.txt' },
  ])
  const [stored, small, empty] = upload.files.map(({ blob_id }) => store.blobs.get(blob_id))
  expect(stored?.parts.slice(0, -1).every(({ length }) => length === LIMITS.part)).toBe(true)
  expect(Buffer.concat(stored?.parts ?? []).equals(big)).toBe(true)
  expect(stored?.sha256).toBe(createHash('sha256').update(big).digest('hex'))
  expect(Buffer.concat(small?.parts ?? []).toString()).toBe('small')
  expect(empty?.parts).toEqual([])
  expect(store.mostWriting).toBeGreaterThan(1)
  expect(store.mostWriting).toBeLessThanOrEqual(4)
})

test('a file over the limit is 413 while it is sent, and the client receives that answer', async () => {
  const form = new FormData()
  form.append('files', new Blob([Buffer.alloc(MAX + 1)]), 'big.bin')
  const { status, text } = await post(form)
  expect([status, text]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
  expect(store.blobs.get('blob-0')?.sha256).toBeUndefined()
})

test('more files than a run takes are 413', async () => {
  const form = new FormData()
  for (let i = 0; i <= LIMITS.runFiles; i++) form.append('files', new Blob(['x']), `${i}.txt`)
  expect((await post(form)).status).toBe(413)
})

test('two hundred small files are accepted', async () => {
  const form = new FormData()
  for (let i = 0; i < LIMITS.runFiles; i++) form.append('files', new Blob([`text ${i}`]), `${i}.txt`)
  const { upload } = await post(form)
  expect(upload.files.map(({ name }) => name)).toEqual(Array.from({ length: LIMITS.runFiles }, (_, i) => `${i}.txt`))
  expect(Buffer.concat(store.blobs.get('blob-199')?.parts ?? []).toString()).toBe('text 199')
})

test('a file in another field, an endless field and a truncated form are refused', async () => {
  const other = new FormData()
  other.append('avatar', new Blob(['x']), 'x.png')
  expect((await post(other)).text).toBe('VALIDATION_ERROR')
  const long = new FormData()
  long.append('tags', 'x'.repeat(20_000))
  expect((await post(long)).status).toBe(413)
  const type = 'multipart/form-data; boundary=cut'
  const cut = '--cut\r\ncontent-disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of'
  for (const [contentType, body] of [
    [type, cut],
    [type, 'not a form'],
    ['multipart/form-data', cut],
  ] as const) {
    const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': contentType } })
    expect(await answer.text()).toBe('VALIDATION_ERROR')
  }
})

test('a part that cannot be stored is the error that the client gets, and no further part is written', async () => {
  const form = new FormData()
  form.append('files', new Blob([Buffer.alloc(2 * MB)]), 'a.bin')
  const sent = post(form)
  store.failure = new AppError('PAYLOAD_TOO_LARGE', 'full')
  expect((await sent).text).toBe('PAYLOAD_TOO_LARGE')
})

test('a client that disconnects in the middle ends the upload', async () => {
  store = new MemoryStore()
  const client = request(url, { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } })
  client.on('error', () => undefined)
  client.write('--x\r\ncontent-disposition: form-data; name="files"; filename="a.txt"\r\n\r\n')
  client.write(Buffer.alloc(MB))
  await expect.poll(() => store.blobs.get('blob-0')?.parts.length ?? 0, { timeout: 30_000 }).toBeGreaterThan(1)
  client.destroy()
  await expect
    .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))), { timeout: 30_000 })
    .toBe(0)
  expect(store.blobs.get('blob-0')?.sha256).toBeUndefined()
})

/** Sends a form with one file whose content comes in the given pieces, `everyMs` apart, and returns the answer. */
async function drip(pieces: number, bytes: number, everyMs: number): Promise<{ status: number | undefined; text: string }> {
  store = new MemoryStore()
  const client = request(url, { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' } })
  client.on('error', () => undefined)
  const answered = once(client, 'response') as Promise<[IncomingMessage]>
  client.write('--x\r\ncontent-disposition: form-data; name="files"; filename="a.txt"\r\n\r\n')
  let isAnswered = false
  void answered.then(() => (isAnswered = true))
  for (let sent = 0; sent < pieces && !isAnswered; sent += 1) {
    client.write(Buffer.alloc(bytes, 'x'))
    await Promise.race([sleep(everyMs), answered])
  }
  client.end('\r\n--x--\r\n')
  const [response] = await answered
  return { status: response.statusCode, text: await readText(response) }
}

test('a client that drips bytes is cut with 408 and nothing is stored', async () => {
  leastRate = { bytesPerSecond: 1_024, graceMs: 500 }
  expect(await drip(600, 1, 50)).toEqual({ status: 408, text: 'REQUEST_TIMEOUT' })
  expect(store.blobs.get('blob-0')?.sha256).toBeUndefined()
})

test('so is one that sends a little faster than nothing, and one that stops', async () => {
  leastRate = { bytesPerSecond: 10_000, graceMs: 500 }
  expect((await drip(600, 200, 50)).status).toBe(408)
  expect((await drip(1, 20_000, 10_000)).status).toBe(408)
})

test('a slow client passes: for longer than the grace at the least rate, and with a pause after it was faster', async () => {
  leastRate = { bytesPerSecond: 1_000, graceMs: 2_000 }
  expect((await drip(40, 1_000, 100)).status).toBe(200)
  expect((await drip(2, 10_000, 1_500)).status).toBe(200)
})

test('a fast client does not pay for a store that is slow', async () => {
  leastRate = { bytesPerSecond: 256 * 1_024, graceMs: 1_500 }
  const form = new FormData()
  form.append('files', new Blob([Buffer.alloc(2 * MB)]), 'a.bin')
  const sent = post(form)
  store.delayMs = 2_500
  expect((await sent).status).toBe(200)
})

test.each([
  ['../../etc/passwd', 'etc/passwd'],
  ['C:\\notes\\a.md', 'C:/notes/a.md'],
  ['/a//b/./c.txt', 'a/b/c.txt'],
  ['a\u0000b\n.txt', 'ab.txt'],
  ['..', 'unnamed'],
  [undefined, 'unnamed'],
])('the name %j is %s', (name, clean) => {
  expect(cleanName(name)).toBe(clean)
})

test('fields of the form', () => {
  expect(
    readFields(
      [
        ['tags', 'a'],
        ['tags', 'b'],
        ['wait', 'false'],
        ['collection', ''],
      ],
      {},
    ),
  ).toEqual({
    tags: ['a', 'b'],
    is_private: false,
    wait: false,
  })
  expect(readFields([['tags', '["a","b, c"]']], { wait: 'false' })).toMatchObject({ tags: ['a', 'b, c'], wait: false })
  expect(readFields([], {})).toEqual({ tags: [], is_private: false, wait: true })
  for (const wrong of [
    ['tags', '["a"'],
    ['tags', '[1]'],
    ['group_id', 'x'],
    ['wait', 'maybe'],
  ] as const) {
    expect(() => readFields([wrong], {})).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  }
})

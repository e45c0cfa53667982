import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Upload } from 'tus-js-client'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const MB = 1024 * 1024
let system: TestSystem
let ada: Person
let eve: Person
beforeAll(async () => {
  system = await startTestSystem({ env: { INGEST__MAX_FILE_MB: '50', SECURITY__RATE_LIMITS: 'generous' } })
  ;[ada, eve] = [await system.newPerson('ada'), await system.newPerson('eve')]
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

/** Before the gateway, and cuts the connection behind each of the given numbers of bytes. */
async function cuttingProxy(cuts: number[]) {
  const sent = { bytes: 0, offsets: [] as number[] }
  const { port } = new URL(system.api)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const gateway = connect(Number(port), '127.0.0.1')
    const cutAt = () => cuts[0] ?? Infinity
    const end = () => {
      for (const socket of [client, gateway]) socket.destroy()
    }
    for (const socket of [client, gateway]) socket.on('error', end).on('close', end)
    sockets.add(client)
    gateway.pipe(client)
    client.on('data', (bytes: Buffer) => {
      sent.bytes += bytes.length
      const [, offset] = /^PATCH [^]*?upload-offset: (\d+)/i.exec(bytes.toString('latin1', 0, 2_000)) ?? []
      if (offset !== undefined) sent.offsets.push(Number(offset))
      if (sent.bytes >= cutAt()) {
        cuts.shift()
        return end()
      }
      if (!gateway.write(bytes)) {
        client.pause()
        gateway.once('drain', () => client.resume())
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const at = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${at}`,
    sent,
    async [Symbol.asyncDispose]() {
      sockets.forEach((socket) => socket.destroy())
      server.close()
    },
  }
}

/** By the official client. Returns the id of the upload. */
function tusUpload(
  person: Person,
  content: Buffer,
  options: { api?: string; name: string; chunkSize?: number; group_id?: string },
) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const progress: number[] = []
  const upload = new Upload(content, {
    endpoint: `${options.api ?? system.api}/v1/uploads`,
    headers: { 'x-api-key': person.key ?? '' },
    metadata: { filename: options.name, ...(options.group_id === undefined ? {} : { group_id: options.group_id }) },
    retryDelays: [0, 100, 500, 1_000],
    ...(options.chunkSize === undefined ? {} : { chunkSize: options.chunkSize }),
    onChunkComplete: (_size, accepted) => void progress.push(accepted),
    onError: reject,
    onSuccess: () => resolve(upload.url?.split('/').at(-1) ?? ''),
  })
  upload.start()
  return promise.then((id) => ({ id, progress }))
}

const raw = (person: Person, method: string, path: string, headers: Record<string, string>, body?: Buffer) =>
  person.fetch(path, {
    method,
    headers: { 'tus-resumable': '1.0.0', ...headers },
    ...(body ? { body: new Uint8Array(body) } : {}),
  })
const create = async (person: Person, size: number, name = 'a.md') => {
  const metadata = `filename ${Buffer.from(name).toString('base64')}`
  return raw(person, 'POST', '/v1/uploads', { 'upload-length': String(size), 'upload-metadata': metadata })
}
const patch = (person: Person, path: string, offset: number, body: Buffer) =>
  raw(person, 'PATCH', path, { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) }, body)

test('the official client goes on behind three cuts, each time where the upload ends', async () => {
  const content = Buffer.alloc(40 * MB, 'A line of a very long file about lighthouses.\n')
  await using proxy = await cuttingProxy([7 * MB, 20 * MB, 33 * MB])
  const { id } = await tusUpload(ada, content, { api: proxy.url, name: 'long.txt' })
  const { body } = await ada.get(`/v1/uploads/${id}`)
  expect(body).toMatchObject({ name: 'long.txt', size: content.length, offset: content.length, finished: true })
  // What was in the buffers of a connection that is cut is sent again, and nothing else.
  const { offsets } = proxy.sent
  expect(offsets[0]).toBe(0)
  expect(offsets).toHaveLength(4)
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
  expect((await raw(ada, 'DELETE', `/v1/uploads/${id}`, {})).status).toBe(204)
  expect((await raw(ada, 'HEAD', `/v1/uploads/${id}`, {})).status).toBe(404)
})

test('uploads in chunks of any size become documents, several in one run, byte by byte the same', async () => {
  const first = Buffer.from(`# Buoys\n\n${'Buoys are painted red. '.repeat(30_000)}`)
  const second = Buffer.from('# Beacons ü\n\nBeacons are lit at dusk.')
  const uploads = [
    await tusUpload(ada, first, { name: 'notes/buoys ü.md', chunkSize: 100_000 }),
    await tusUpload(ada, second, { name: 'beacons.md', chunkSize: 7 }),
    await tusUpload(ada, Buffer.alloc(0), { name: 'empty.md' }),
  ]
  const [begun] = uploads
  expect(begun?.progress.slice(0, 3)).toEqual([100_000, 200_000, 300_000])
  const upload_ids = uploads.map(({ id }) => id)
  const key = { 'idempotency-key': 'ingest-once' }
  const run = await ada.post('/v1/ingest/uploads', { upload_ids, tags: ['sea'] }, key)
  expect(run).toMatchObject({ status: 200, body: { success: false, files_processed: 2 } })
  expect(run.body.files.map(({ path, status }: { path: string; status: string }) => [path, status])).toEqual([
    ['notes/buoys ü.md', 'success'],
    ['beacons.md', 'success'],
    ['empty.md', 'failed'],
  ])
  const content = await ada.fetch(`/v1/documents/${run.body.files[0].document_id}/content`)
  expect(Buffer.from(await content.arrayBuffer()).equals(first)).toBe(true)
  expect((await ada.post('/v1/ingest/uploads', { upload_ids: [upload_ids[1]] })).status).toBe(404)
})

test('the protocol: offsets, versions, types, lengths and the uploads of others', async () => {
  const options = await fetch(`${system.api}/v1/uploads`, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('tus-version'), options.headers.get('tus-extension')]).toEqual([
    204,
    '1.0.0',
    'creation,expiration,termination',
  ])
  expect((await fetch(`${system.api}/v1/documents`, { method: 'OPTIONS' })).headers.get('tus-version')).toBe(null)
  const created = await create(ada, 10)
  expect(created.status).toBe(201)
  const path = created.headers.get('location') ?? ''
  const head = await raw(ada, 'HEAD', path, {})
  const names = ['upload-offset', 'upload-length', 'tus-resumable', 'cache-control']
  expect([head.status, ...names.map((name) => head.headers.get(name))]).toEqual([200, '0', '10', '1.0.0', 'no-store'])
  expect(Date.parse(head.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now() + 3_600_000)
  const status = async (answer: Promise<Response>) => (await answer).status
  expect(await status(patch(ada, path, 3, Buffer.from('abc')))).toBe(409)
  expect(await status(patch(ada, path, 0, Buffer.from('abc')))).toBe(204)
  expect(await status(patch(ada, path, 0, Buffer.from('abc')))).toBe(409)
  expect(await status(patch(ada, path, 3, Buffer.from('more than fits')))).toBe(413)
  expect(await status(raw(ada, 'PATCH', path, { 'upload-offset': '3' }, Buffer.from('abc')))).toBe(415)
  expect(await status(raw(ada, 'PATCH', path, { 'content-type': 'application/offset+octet-stream' }))).toBe(400)
  const other = await raw(ada, 'HEAD', path, { 'tus-resumable': '0.2.2' })
  expect([other.status, other.headers.get('tus-version')]).toEqual([412, '1.0.0'])
  for (const method of ['HEAD', 'DELETE']) expect(await status(raw(eve, method, path, {}))).toBe(404)
  expect(await status(patch(eve, path, 3, Buffer.from('abc')))).toBe(404)
  const id = path.split('/').at(-1)
  expect((await eve.post('/v1/ingest/uploads', { upload_ids: [id] })).status).toBe(404)
  // Not finished yet.
  expect((await ada.post('/v1/ingest/uploads', { upload_ids: [id] })).status).toBe(400)
  expect((await raw(ada, 'HEAD', path, {})).headers.get('upload-offset')).toBe('3')
  for (const size of ['-1', '1e3', '', '99999999999999999999']) {
    expect((await raw(ada, 'POST', '/v1/uploads', { 'upload-length': size })).status, size).toBe(400)
  }
  expect((await create(ada, 51 * MB)).status).toBe(413)
})

test('one user has room for so many bytes, and gets it back', async () => {
  const paths: string[] = []
  for (let n = 0; n < 20; n += 1) paths.push((await create(eve, 50 * MB)).headers.get('location') ?? '')
  const refused = await create(eve, 1)
  expect([refused.status, ((await refused.json()) as { error: { message: string } }).error.message]).toEqual([
    413,
    expect.stringContaining('1000 MB together'),
  ])
  expect((await create(ada, 1)).status).toBe(201)
  expect((await raw(eve, 'DELETE', paths[0] ?? '', {})).status).toBe(204)
  expect((await create(eve, 1)).status).toBe(201)
})

test('an upload for a group is refused to whoever is not in it', async () => {
  const { body: group } = await ada.post('/v1/groups', { name: 'Keepers' })
  const { id } = await tusUpload(ada, Buffer.from('# Log\n\nThe lamp was lit at six.'), { name: 'log.md', group_id: group.id })
  const run = await ada.post('/v1/ingest/uploads', { upload_ids: [id], group_id: group.id })
  expect(run.body).toMatchObject({ success: true })
  await expect(tusUpload(eve, Buffer.from('x'), { name: 'x.md', group_id: group.id })).rejects.toThrow(/404/)
})

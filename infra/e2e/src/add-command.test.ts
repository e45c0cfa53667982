import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatewayClient } from '@youworker/local/demo/gateway-client'
import { uploadFiles } from '@youworker/local/demo/upload-files'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'

const stack = new AsyncDisposableStack()
let system: TestSystem
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-add-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  system = stack.use(await startTestSystem({ env: { SECURITY__RATE_LIMITS: 'generous' } }))
}, 120_000)
afterAll(() => stack.disposeAsync())

/** Leads to the gateway, and breaks each of the first connections after so many bytes of the client. */
async function cuttingProxy(cuts: number[]): Promise<{ url: string; left: () => number } & Disposable> {
  const port = Number(new URL(system.api).port)
  const server = createServer((client) => {
    const gateway = connect(port, '127.0.0.1')
    let left = cuts.shift() ?? Number.POSITIVE_INFINITY
    client.on('data', (bytes: Buffer) => {
      left -= bytes.length
      gateway.write(bytes)
      if (left < 0) for (const socket of [client, gateway]) socket.destroy()
    })
    gateway.pipe(client)
    for (const socket of [client, gateway]) socket.on('error', () => {})
    client.on('close', () => gateway.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    left: () => cuts.length,
    [Symbol.dispose]: () => void server.close(),
  }
}

test('a large file goes on after cuts, a small one is sent again, and each is one whole document', async () => {
  const ada = await system.newPerson('ada')
  const large = `# Harbour\n\n${'The pilot boards at the outer buoy before the tide turns.\n'.repeat(150_000)}`
  await writeFile(join(dir, 'large.txt'), large)
  await writeFile(join(dir, 'small.md'), `# Fees\n\n${'A berth costs 40 crowns a night. '.repeat(20_000)}`)
  using proxy = await cuttingProxy([100, 3_000_000, 500, 5_000_000, 4_000_000, 300_000])
  const gateway = new GatewayClient(proxy.url, ada.key ?? '', AbortSignal.timeout(120_000))
  const lines: string[] = []
  const output = {
    print: (line: string) => void lines.push(line),
    write: () => {},
    status: (line: string) => void lines.push(line),
  }
  const files = ['large.txt', 'small.md'].map((name) => ({ path: join(dir, name), name }))
  const { documentIds, failures } = await uploadFiles(gateway, files, { output })
  expect([failures, documentIds.size, proxy.left()]).toEqual([[], 2, 0])
  expect(lines.join('\n')).toMatch(/sending large\.txt, [1-9]\d %/)
  const { body } = await ada.get('/v1/documents')
  expect(body.total).toBe(2)
  const { id } = body.documents.find(({ title }: { title: string }) => title === 'large.txt')
  expect(await (await ada.fetch(`/v1/documents/${id}/content`)).text()).toBe(large)
}, 180_000)

test('a large file that is refused is told with the reason, and is not sent', async () => {
  const ben = await system.newPerson('ben')
  await writeFile(join(dir, 'huge.txt'), Buffer.alloc(101 * 1024 * 1024, 'x'))
  const gateway = new GatewayClient(system.api, ben.key ?? '', AbortSignal.timeout(60_000))
  const output = { print: () => {}, write: () => {}, status: undefined }
  const { failures } = await uploadFiles(gateway, [{ path: join(dir, 'huge.txt'), name: 'huge.txt' }], { output })
  expect(failures).toEqual([expect.stringMatching(/^huge\.txt: .*at most 100 MB/)])
})

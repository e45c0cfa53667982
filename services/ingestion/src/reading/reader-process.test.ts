import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FileMime } from '@youworker/contracts/file-types'
import { expect, test } from 'vitest'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { samplePicture } from '@youworker/test-kit/sample-pictures'
import { CONFINEMENT } from './confinement.ts'
import { type ReaderLimits, ReaderProcess } from './reader-process.ts'

const run = promisify(execFile)
const outcomeOf = async (options: readonly string[], code: string) => {
  const script = `(async () => { ${code} })().then(() => console.log('done'), (error) => console.log(error.code ?? error.message))`
  return (await run(process.execPath, [...options, '-e', script])).stdout.trim()
}

test('the process that reads untrusted files reaches no other file, no network and no process', async () => {
  const server = createServer((socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const attempts = {
    read: `await require('fs/promises').readFile('/etc/passwd')`,
    write: `await require('fs/promises').writeFile(${JSON.stringify(join(import.meta.dirname, 'written'))}, 'x')`,
    connect: `await new Promise((resolve, reject) => require('net').connect(${port}, '127.0.0.1').on('connect', resolve).on('error', reject)); process.exit(console.log('done'))`,
    spawn: `await new Promise((resolve, reject) => require('child_process').spawn('true').on('exit', resolve).on('error', reject))`,
    thread: `new (require('worker_threads').Worker)('', { eval: true })`,
  }
  for (const [name, code] of Object.entries(attempts)) expect(await outcomeOf(CONFINEMENT, code), name).toBe('ERR_ACCESS_DENIED')
  expect(await outcomeOf([], attempts.read)).toBe('done')
  expect(await outcomeOf([], attempts.connect)).toBe('done')
  server.close()
})

test('pages are drawn small and one by one; what cannot be drawn is told, and costs no other file anything', async () => {
  using reader = new ReaderProcess()
  const draw = (bytes: Uint8Array, page: number, mime: FileMime = 'application/pdf') =>
    reader.draw({ ...fileOf(bytes, mime), page })
  const sizeOf = (picture = '') => [16, 20].map((at) => Buffer.from(picture, 'base64').readUInt32BE(at))
  const pdf = samplePdf([['First page.'], ['Second page.']])
  const [first, second] = [await draw(pdf, 1), await draw(pdf, 2)]
  expect([first.pages, second.pages]).toEqual([2, 2])
  expect(first.picture).not.toBe(second.picture)
  expect(Math.max(...sizeOf(first.picture))).toBe(1_400)
  expect(await draw(pdf, 3)).toEqual({ pages: 2 })
  for (const format of ['png', 'jpg', 'gif', 'webp', 'tif'] as const) {
    const mime = { png: 'image/png', jpg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', tif: 'image/tiff' } as const
    const { pages, picture } = await draw(await samplePicture(format), 1, mime[format])
    expect([pages, sizeOf(picture).every((side) => side > 10 && side <= 1_400)], format).toEqual([format === 'tif' ? 2 : 1, true])
  }
  // Larger than the world, without any size, and a page within itself.
  const changed = (from: string, to: string) => Buffer.from(Buffer.from(pdf).toString('latin1').replaceAll(from, to), 'latin1')
  expect(Math.max(...sizeOf((await draw(changed('[0 0 612 792]', '[0 0 9e9 9e9]'), 1)).picture))).toBeLessThanOrEqual(1_401)
  for (const bad of [Buffer.from('%PDF-1.7 nothing'), Buffer.from([1, 2, 3])])
    await expect(draw(bad, 1)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  await expect(draw(Buffer.from('no picture'), 1, 'image/png')).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  await draw(changed('/Kids [4 0 R 6 0 R]', '/Kids [2 0 R 4 0 R]'), 1).catch(() => {})
  using other = new ReaderProcess()
  expect(await other.draw({ ...fileOf(pdf, 'application/pdf'), page: 1 })).toEqual(first)
}, 60_000)

const SIZE = { tokens: 100, overlap: 10 }
const never = new AbortController().signal

async function* inParts(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

const fileOf = (content: string | Uint8Array, mime: FileMime = 'text/markdown', signal = never) => {
  const bytes = Buffer.from(content)
  return { mime, size: bytes.length, bytes: inParts(bytes), chunks: SIZE, signal }
}

async function read(reader: ReaderProcess, content: string | Uint8Array, mime?: FileMime, signal?: AbortSignal) {
  const pieces = []
  for await (const piece of reader.read(fileOf(content, mime, signal))) pieces.push(piece)
  return pieces
}

test('one process reads file after file, also behind one that cannot be read', async () => {
  using reader = new ReaderProcess()
  const first = await read(reader, '# Bees\n\nThey fly.')
  expect(first).toEqual([
    { title: 'Bees' },
    { chunk: { index: 0, text: 'They fly.', title_path: ['Bees'], start: 8, end: 17, language: 'en' } },
  ])
  await expect(read(reader, Buffer.from([0xff, 0xfe, 0, 1, 0, 0, 9, 9]))).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  expect(await read(reader, samplePdf([['One page.']]), 'application/pdf')).toHaveLength(2)
  expect(await read(reader, '# Bees\n\nThey fly.')).toEqual(first)
})

test('a long text comes in parts whose offsets fit, whatever stands at their ends', async () => {
  using reader = new ReaderProcess()
  const text = Array.from({ length: 160_000 }, (_, n) => `Line ${n} größer 🙂 ${'x'.repeat(n % 90)}`).join('\n')
  const pieces = await read(reader, text, 'text/plain')
  const chunks = pieces.flatMap((piece) => ('chunk' in piece ? [piece.chunk] : []))
  expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, n) => n))
  for (const { text: part, start, end } of chunks) expect(text.slice(start, end)).toBe(part)
  for (const n of [0, 80_000, 159_999]) expect(chunks.some((chunk) => chunk.text.includes(`Line ${n} g`))).toBe(true)
}, 120_000)

test('each part of a long table begins with its first row, and no row is cut', async () => {
  using reader = new ReaderProcess()
  const rows = Array.from({ length: 90_000 }, (_, n) => `${n},"a cell\nof two lines, ${'x'.repeat(80)}"`)
  const pieces = await read(reader, `number,words\n${rows.join('\n')}\n`, 'text/csv')
  const text = pieces.flatMap((piece) => ('chunk' in piece ? [piece.chunk.text] : [])).join('\n')
  for (const n of [0, 1, 45_000, 89_999]) expect(text.split(new RegExp(`\\b${n}\\b.{1,9}a cell`)).length).toBe(2)
}, 120_000)

test.each<[string, string, Partial<ReaderLimits>, RegExp]>([
  ['outgrows its memory', '['.repeat(1_000_000), { memoryBytes: 1024 ** 2 }, /too much memory/],
  ['computes for too long', '['.repeat(1_000_000), { cpuMs: -2_200 }, /longer than/],
  ['fills its heap', '['.repeat(3_000_000), { memoryBytes: 8 * 1024 ** 3 }, /too much memory/],
])(
  'a file whose parser %s is told from one that cannot be read',
  async (_, content, limits, reason) => {
    using reader = new ReaderProcess(limits)
    await expect(read(reader, content)).rejects.toMatchObject({ name: 'ParserDied', message: expect.stringMatching(reason) })
    expect(reader.isDead).toBe(true)
  },
  120_000,
)

test('a file that unpacks to far more than its size fails with a reason', async () => {
  using reader = new ReaderProcess({ answerBytes: 1_000, answerTimes: 1 })
  await expect(read(reader, '# Bees\n\nThey fly.')).resolves.toHaveLength(2)
  const content = Array.from({ length: 400 }, () => '# a').join('\n')
  await expect(read(reader, content)).rejects.toMatchObject({
    code: 'VALIDATION_ERROR',
    message: expect.stringMatching(/unpacks/),
  })
})

test('reading can be stopped', async () => {
  using reader = new ReaderProcess()
  const signal = AbortSignal.abort(new Error('off'))
  await expect(read(reader, samplePdf([['x']]), 'application/pdf', signal)).rejects.toThrow('off')
})

test.runIf(process.platform === 'linux')('the kernel ends the reader first when memory runs out', async () => {
  using reader = new ReaderProcess()
  const score = async () => (await readFile(`/proc/${reader.pid}/oom_score_adj`, 'utf8')).trim()
  await expect.poll(score, { timeout: 30_000 }).toBe('1000')
})

test('a reader that cannot be loaded is no fault of the file', async () => {
  using reader = new ReaderProcess()
  const reading = read(reader, '# Bees', 'text/none' as FileMime)
  await expect(reading).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', cause: expect.stringContaining('TypeError') })
})

// A stopped process stands for one that computes without end: neither looks at what it is told.
test.runIf(process.platform === 'linux')(
  'a child that looks at nothing any more is gone when the service is killed',
  async () => {
    const script = `
    import { ReaderProcess } from ${JSON.stringify(join(import.meta.dirname, 'reader-process.ts'))}
    console.log(new ReaderProcess().pid)`
    const service = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const pid = Number(String(await once(service.stdout, 'data')))
    const stateOf = () =>
      readFile(`/proc/${pid}/stat`, 'utf8').then(
        (stat) => stat.replace(/^.*\) (.).*$/s, '$1'),
        () => 'gone',
      )
    process.kill(pid, 'SIGSTOP')
    try {
      await expect.poll(stateOf, { timeout: 10_000 }).toBe('T')
      service.kill('SIGKILL')
      await expect.poll(stateOf, { timeout: 10_000 }).toMatch(/gone|Z/)
    } finally {
      service.kill('SIGKILL')
      if ((await stateOf()) === 'T') process.kill(pid, 'SIGKILL')
    }
  },
  60_000,
)

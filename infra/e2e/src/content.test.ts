import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person
const text = `# Numbers\n\n${Array.from({ length: 60_000 }, (_, n) => n).join(' ')}\n`
let id: string

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
  id = (await ada.upload([{ name: 'numbers.md', content: text }])).body.files[0].document_id
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const open = (headers: Record<string, string> = {}, method = 'GET') =>
  ada.fetch(`/v1/documents/${id}/content`, { method, headers })
const got = async (headers: Record<string, string>) => {
  const answer = await open(headers)
  return [answer.status, answer.headers.get('content-range'), await answer.text()]
}
const size = Buffer.byteLength(text)

test('one range is served, of whatever form; several, or one of another unit, are answered with the whole', async () => {
  const part = (first: number, last: number) => [206, `bytes ${first}-${last}/${size}`, text.slice(first, last + 1)]
  expect(await got({ range: 'bytes=0-0' })).toEqual(part(0, 0))
  expect(await got({ range: 'bytes=2-10' })).toEqual(part(2, 10))
  // Over the end of a stored part, and over the end of the file.
  expect(await got({ range: 'bytes=262140-262150' })).toEqual(part(262_140, 262_150))
  expect(await got({ range: `bytes=${size - 5}-${size + 99}` })).toEqual(part(size - 5, size - 1))
  expect(await got({ range: 'bytes=-7' })).toEqual(part(size - 7, size - 1))
  expect(await got({ range: `bytes=-${size * 9}` })).toEqual(part(0, size - 1))
  expect(await got({ range: `bytes=${size - 3}-` })).toEqual(part(size - 3, size - 1))
  for (const range of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=5-2', 'bytes=a-b', 'bytes=-', 'bytes'])
    expect(await got({ range }), range).toEqual([200, null, text])
  for (const range of [`bytes=${size}-`, 'bytes=-0', `bytes=${size + 5}-${size + 9}`]) {
    const answer = await open({ range })
    expect([answer.status, answer.headers.get('content-range')], range).toEqual([416, `bytes */${size}`])
  }
})

test('a range goes on only in the version that it began in', async () => {
  const etag = (await open({}, 'HEAD')).headers.get('etag') ?? ''
  const range = 'bytes=1-2'
  expect((await got({ range, 'if-range': etag }))[0]).toBe(206)
  for (const other of ['"other"', `W/${etag}`, 'Mon, 30 Nov 2026 00:00:00 GMT'])
    expect((await got({ range, 'if-range': other }))[0], other).toBe(200)
  expect((await open({ 'if-none-match': etag })).status).toBe(304)
})

test('HEAD tells all and sends nothing', async () => {
  const head = await open({}, 'HEAD')
  const whole = await open()
  for (const name of [
    'content-type',
    'content-length',
    'content-disposition',
    'etag',
    'accept-ranges',
    'content-security-policy',
  ])
    expect(head.headers.get(name), name).toBe(whole.headers.get(name))
  expect([head.status, await head.text(), (await whole.text()).length]).toEqual([200, '', size])
})

test('whatever a file is called and holds, it is an attachment that a browser neither runs nor mistakes', async () => {
  const names = [
    `plain"quote\\back;semi=.html`,
    `r\u00e9sum\u00e9 \u{1f642}.svg`,
    `evil\u202etxt.exe.html`,
    `${'long'.repeat(62)}.html`,
    `percent%22%0d%0aset-cookie.html`,
    `'single*star().html`,
  ]
  for (const name of names) {
    const page = `<script>alert(1)</script><p>Text of ${name.length} letters, which is long enough.</p>`
    const { body } = await ada.upload([{ name, content: name.endsWith('.svg') ? `<svg><text>Words in it.</text></svg>` : page }])
    expect(body, name).toMatchObject({ success: true })
    const { headers } = await ada.fetch(`/v1/documents/${body.files[0].document_id}/content`)
    const disposition = headers.get('content-disposition') ?? ''
    // RFC 6266 and 8187: one quoted ASCII name, and the exact one in UTF-8.
    expect(disposition, name).toMatch(
      /^attachment; filename="[\x20-\x21\x23-\x5b\x5d-\x7e]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/,
    )
    const exact = decodeURIComponent(disposition.split("UTF-8''")[1] ?? '')
    expect(exact).not.toMatch(/[\u202a-\u202e\u2066-\u2069\r\n]/)
    expect(exact.endsWith(name.slice(-5)), exact).toBe(true)
    expect([headers.get('x-content-type-options'), headers.get('content-security-policy')]).toEqual([
      'nosniff',
      expect.stringMatching(/default-src 'none'; sandbox/),
    ])
    expect(headers.get('set-cookie')).toBeNull()
  }
}, 60_000)

test('a citation and a hit say where the passage stands: document, place, and in paged files the page', async () => {
  const { results } = (await ada.post('/v1/search', { query: 'numbers 59999' })).body
  const [hit] = results
  expect(text.slice(hit.start, hit.end).trim().endsWith(hit.text.trim().slice(-20))).toBe(true)
  const all: { id: string; index: number }[] = []
  for (let after = ''; ;) {
    const page = (await ada.get(`/v1/documents/${id}/chunks?limit=7${after}`)).body
    all.push(...page.chunks)
    if (page.next_after === undefined) break
    after = `&after=${page.next_after}`
  }
  expect(all.map(({ index }) => index)).toEqual(all.map((_, n) => n))
  expect(new Set(all.map((chunk) => chunk.id)).size).toBe(all.length)
  expect(all.some((chunk) => chunk.id === hit.chunk_id)).toBe(true)
})

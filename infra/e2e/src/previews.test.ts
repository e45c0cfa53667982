import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { samplePicture } from '@youworker/test-kit/sample-pictures'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let database: pg.Client
let ada: Person
beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
}, 120_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

const bring = async (name: string, content: string | Uint8Array, fields: Record<string, string> = {}): Promise<string> => {
  const { body } = await ada.upload([{ name, content }], { wait: 'true', ...fields })
  expect(body).toMatchObject({ success: true, errors: [] })
  return body.files[0].document_id
}
const open = (id: string, query = '', headers: Record<string, string> = {}, person = ada) =>
  person.fetch(`/v1/documents/${id}/preview${query}`, { headers })
const htmlOf = async (id: string, query = '') => {
  const answer = await open(id, query)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  return answer.text()
}
const kept = async () => (await database.query('select sealed from ingestion.previews')).rows.map(({ sealed }) => sealed)
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47])

test('a page of a PDF is a picture, drawn once, sealed, and erased with the document', async () => {
  const id = await bring('two.pdf', samplePdf([['The first page.'], ['The second page.']]))
  const first = await open(id)
  const bytes = Buffer.from(await first.arrayBuffer())
  expect(Object.fromEntries(first.headers)).toMatchObject({
    'content-type': 'image/png',
    'content-security-policy': expect.stringMatching(/default-src 'none'.*sandbox/),
    'x-content-type-options': 'nosniff',
    'content-disposition': 'inline',
    'cache-control': 'private, no-cache',
    'x-preview-page': '1',
    'x-preview-pages': '2',
    link: '<?page=2>; rel="next"',
  })
  expect(bytes.subarray(0, 4)).toEqual(PNG)
  const second = await open(id, '?page=2')
  expect(Buffer.from(await second.arrayBuffer()).equals(bytes)).toBe(false)
  expect(Buffer.from(await (await open(id, '?page=1')).arrayBuffer()).equals(bytes)).toBe(true)
  const sealed = await kept()
  expect(sealed).toHaveLength(2)
  for (const each of sealed) expect(each.includes(Buffer.from('IHDR'))).toBe(false)
  const etag = first.headers.get('etag') ?? ''
  expect((await open(id, '', { 'if-none-match': etag })).status).toBe(304)
  expect((await open(id, '?page=2', { 'if-none-match': etag })).status).toBe(200)

  expect((await ada.get(`/v1/documents/${id}/preview?page=3`)).body.error).toMatchObject({
    code: 'DOCUMENT_NOT_FOUND',
    message: expect.stringContaining('2 pages'),
  })
  for (const page of ['0', '-1', 'x', '1e9', '1.5'])
    expect((await ada.get(`/v1/documents/${id}/preview?page=${page}`)).body).toMatchObject(failure('VALIDATION_ERROR'))
  // The next version is another file.
  expect(await bring('two.pdf', samplePdf([['Only one page now.']]))).toBe(id)
  expect((await open(id, '', { 'if-none-match': etag })).headers.get('x-preview-pages')).toBe('1')
  expect((await ada.call('DELETE', `/v1/documents/${id}?purge=true`)).status).toBe(204)
  expect(await kept()).toEqual([])
  expect((await open(id)).status).toBe(404)
})

test('a picture is shown as PNG of bounded size', async () => {
  for (const format of ['jpg', 'tif'] as const) {
    const answer = await open(await bring(`scan.${format}`, await samplePicture(format)))
    const bytes = Buffer.from(await answer.arrayBuffer())
    expect([answer.headers.get('content-type'), bytes.subarray(0, 4)]).toEqual(['image/png', PNG])
    expect(bytes.length).toBeLessThan(440 * 1024)
  }
})

test('all else is HTML that is written here: nothing of the file runs, loads or names another place by itself', async () => {
  const attacks = `<script>alert(1)</script><img src="https://evil.example/p.png" onerror="x()"><a href="javascript:x()">run</a>`
  const markdown = `# Title & <b>more</b>\n\nText ${attacks} and [a site](https://example.org/a?b=1&c=d) and [bad](javascript:alert(1)) and [mail](mailto:a@example.org).\n\n![pixel](https://evil.example/p.png)\n\n- one\n- two <i>x</i>\n\n| Name | Age |\n| --- | --- |\n| Ann<script> | 3 |\n\n\u0060\u0060\u0060\n<style>@import "//evil.example"</style>\n\u0060\u0060\u0060\n`
  const page = await htmlOf(await bring('attack.md', markdown))
  const web = await htmlOf(
    await bring(
      'attack.html',
      `<title>T</title><h1>Head</h1><p>Seen &lt;script&gt;x&lt;/script&gt;</p><table><tr><td>a</td><td>b</td></tr></table>${attacks}<svg onload=x()></svg>`,
    ),
  )
  const code = await htmlOf(await bring('attack.js', `const x = "</pre><script>alert(1)</script>"\nif (x)   run()\n`))
  const table = await htmlOf(await bring('attack.csv', 'name,note\n<script>,"=cmd|x"\nBen,"a|b"\n'))
  for (const html of [page, web, code, table]) {
    const elements = [...html.matchAll(/<([a-z0-9]+)([^>]*)>/g)]
    const allowed = new Set('html head meta title body section h1 h2 h3 h4 h5 h6 p br pre ul li table tr td a'.split(' '))
    expect(elements.filter(([, name = '']) => !allowed.has(name))).toEqual([])
    for (const [, name, attributes = ''] of elements) {
      const names = [...attributes.matchAll(/([a-z-]+)="/g)].map(([, each]) => each)
      const own = name === 'a' ? ['href', 'rel', 'target'] : ['charset', 'name', 'content', 'data-start', 'data-end', 'data-page']
      expect(
        names.every((each) => own.includes(each ?? '')),
        attributes,
      ).toBe(true)
    }
    expect(html).not.toMatch(/href="(?!https?:|mailto:)/)
  }
  expect(page).toContain(
    '<a href="https://example.org/a?b=1&amp;c=d" rel="noopener noreferrer nofollow" target="_blank">a site</a>',
  )
  expect(page).toContain('<p>pixel</p>')
  expect(page).toContain('<td>Ann&lt;script&gt;</td><td>3</td>')
  expect(page).toContain('<li>one</li>')
  expect(page).toContain('<pre>&lt;style&gt;')
  expect(web).toContain('<td>a</td><td>b</td>')
  expect(code).toContain('if (x)   run()')
  expect(table).toContain('<td>a|b</td>')
})

test('a long text comes page by page, every word once', async () => {
  const words = Array.from({ length: 9_000 }, (_, n) => `word${n}.`)
  const id = await bring('long.txt', words.join(' '))
  const pages = Number((await open(id)).headers.get('x-preview-pages'))
  expect(pages).toBeGreaterThan(1)
  let text = ''
  for (let page = 1; page <= pages; page += 1) text += `${await htmlOf(id, `?page=${page}`)} `
  expect([...text.matchAll(/word\d+\./g)].map(([word]) => word)).toEqual(words)
  // A viewer finds a passage by its place in the text.
  const { chunks } = (await ada.get(`/v1/documents/${id}/chunks?limit=1`)).body
  expect(text).toContain(`data-start="${chunks[0].start}" data-end="${chunks[0].end}"`)
  expect((await open(id, `?page=${pages + 1}`)).status).toBe(404)
})

test('who may not read the document sees no page of it; who was let into its collection does, until that ends', async () => {
  const id = await bring('shared.pdf', samplePdf([['Shared with Ben.']]), { collection: 'open' })
  const ben = await system.newPerson('ben')
  const seen = async () => (await open(id, '', {}, ben)).status
  expect((await open(id)).status).toBe(200)
  expect(await seen()).toBe(404)
  const [{ id: collection }] = (await ada.get('/v1/collections')).body.collections
  await ada.call('PUT', `/v1/collections/${collection}/access/${ben.id}`, { role: 'reader' })
  expect(await seen()).toBe(200)
  await ada.call('DELETE', `/v1/collections/${collection}/access/${ben.id}`)
  expect(await seen()).toBe(404)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person
beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const SCRIPT = '<h1>Harbour</h1><p>The lamp burns.</p><script>alert(document.domain)</script>'
/** What a file is called and says it is, and what a browser may be told that it is called. */
const FILES: readonly [name: string, mime: string, ascii: string][] = [
  ['a; filename=evil.html', 'text/html', 'a; filename=evil.html'],
  ['<img src=x onerror=alert(1)>.html', 'text/html', '<img src=x onerror=alert(1)>.html'],
  ['evil.html\u202Egpj.html', 'image/svg+xml', 'evil.htmlgpj.html'],
  ['%0d%0aset-cookie: a=b.html', 'text/html;charset=utf-7', '_0d_0aset-cookie: a=b.html'],
  ['日本 😀.html', 'application/x-\u0000shockwave-flash', '__ __.html'],
  ["'*=utf-8''x.html", 'multipart/x-mixed-replace', "'*=utf-8''x.html"],
]

test.each(FILES)(
  '%s is sent as an attachment of its own type that runs nothing, whole and in ranges',
  async (name, mime, ascii) => {
    const { body } = await ada.upload([{ name, content: SCRIPT, mime }])
    expect(body).toMatchObject({ success: true })
    const path = `/v1/documents/${body.files[0].document_id}/content`
    for (const [range, status, text] of [
      [undefined, 200, SCRIPT],
      ['bytes=4-10', 206, 'Harbour'],
      ['bytes=-9', 206, '</script>'],
    ] as const) {
      const response = await ada.fetch(path, range === undefined ? {} : { headers: { range } })
      expect([response.status, await response.text()]).toEqual([status, text])
      const { headers } = response
      expect(headers.get('content-type')).toBe('text/html')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox")
      expect(headers.get('set-cookie')).toBeNull()
      const disposition = /^attachment; filename="([^"\\]*)"; filename\*=UTF-8''([\w%.~!$&+^`|#-]+)$/
      const [, plain, exact = ''] = disposition.exec(headers.get('content-disposition') ?? '') ?? []
      expect([plain, decodeURIComponent(exact)]).toEqual([ascii, name.replaceAll('\u202E', '')])
    }
    const outside = await ada.fetch(path, { headers: { range: `bytes=${SCRIPT.length}-` } })
    expect([outside.status, outside.headers.get('content-range')]).toEqual([416, `bytes */${SCRIPT.length}`])
  },
)

test('names that lead out of a folder do not', async () => {
  for (const name of ['../../etc/passwd.html', '/etc/shadow.html']) {
    const { body } = await ada.upload([{ name, content: SCRIPT }])
    expect(body).toMatchObject({ success: true })
    expect(body.files[0].path).toMatch(/^etc\/(passwd|shadow)\.html$/)
  }
})

import type { FileMime } from '@youworker/contracts/file-types'
import { expect, test } from 'vitest'
import { loadParser } from './parse-file.ts'
import type { ParsedDocument } from './parsed-document.ts'

const parse = async (mime: FileMime, content: string) => {
  const document = await (await loadParser(mime))(Buffer.from(content))
  for (const { text, start, end } of document.blocks) expect(document.text.slice(start, end)).toBe(text)
  return document
}

const outline = ({ blocks }: ParsedDocument) => blocks.map(({ text, title_path }) => [title_path.join(' > '), text])

test.each([
  ['commas and quotes', 'Role,Days,Note\r\nDev,30,"a, b\nc"\r\nOps,25,"5"" pipe"\r\n'],
  ['semicolons', 'Role;Days;Note\nDev;30;a, b c\nOps;25;5" pipe\n'],
  ['tabs, and a last row that is not ended', 'Role\tDays\tNote\nDev\t30\ta, b c\nOps\t25\t5" pipe'],
])('CSV with %s: cells in rows, under the names of the columns', async (_, content) => {
  const { blocks } = await parse('text/csv', content)
  expect(blocks).toMatchObject([
    {
      kind: 'table',
      header: '| Role | Days | Note |',
      text: '| Role | Days | Note |\n| Dev | 30 | a, b c |\n| Ops | 25 | 5" pipe |',
    },
  ])
})

test('CSV with a quote that is never closed keeps every row', async () => {
  const { text } = await parse('text/csv', 'a,b\n"1,2\n3,4\n')
  expect(text).toBe('| a | b |\n| "1 | 2 |\n| 3 | 4 |')
})

test('JSON: what belongs together stays together below its keys', async () => {
  const long = 'x'.repeat(1_500)
  const document = await parse(
    'application/json',
    JSON.stringify({ name: 'Shop', items: [{ id: 1 }, { id: 2, name: 'Bees', text: long }] }),
  )
  expect(document.title).toBe('Shop')
  expect(outline(document)).toEqual([
    ['', '"name": "Shop"'],
    ['items', '{\n "id": 1\n}'],
    ['items > Bees', `"id": 2,\n"name": "Bees"`],
    ['items > Bees', `"text": "${long}"`],
  ])
  expect(outline(await parse('application/json', '"only"'))).toEqual([['', 'only']])
})

test('JSON Lines: one block for each line', async () => {
  expect(outline(await parse('application/jsonl', '{"a":1}\r\n\n{"a":2}'))).toEqual([
    ['', '{"a":1}'],
    ['', '{"a":2}'],
  ])
})

test('XML: a line for each element, records whole, and no entity of its own is expanded', async () => {
  const document = await parse(
    'application/xml',
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><shop year="2026"><title>Bees &amp; co</title><item id="1"><p>This is <b>very</b> good &b;</p></item><item id="2"/></shop>',
  )
  expect(document.title).toBe('Bees & co')
  expect(document.text).toBe('shop year=2026\ntitle: Bees & co\n\nitem id=1\n p: This is very good &b;\n\nitem id=2')
})

const method = (name: string) => `  ${name}() {\n${'    work()\n'.repeat(80)}  }\n`

test.each<[FileMime, string, unknown]>([
  [
    'text/x-typescript',
    `import a from 'a'\n\n/** Adds. */\nexport function add() {\n  return 1\n}\n\nclass Hive {\n${method('open')}\n${method('close')}}\n\nend()\n`,
    [
      ['', `import a from 'a'`],
      ['', `/** Adds. */\nexport function add() {\n  return 1\n}`],
      ['class Hive', 'class Hive {'],
      ['class Hive', method('open').trimEnd()],
      ['class Hive', `${method('close')}}`],
      ['', 'end()'],
    ],
  ],
  [
    'text/x-python',
    `import os\n\n@cached\ndef a():\n    return 1\n\n\n# Says b.\ndef b():\n    pass\n`,
    [
      ['', 'import os'],
      ['', '@cached\ndef a():\n    return 1'],
      ['', '# Says b.\ndef b():\n    pass'],
    ],
  ],
  [
    'application/yaml',
    'a:\n  - 1\n  - 2\nb: |\n  text\n\n  more\n',
    [
      ['', 'a:\n  - 1\n  - 2'],
      ['', 'b: |\n  text\n\n  more'],
    ],
  ],
])('source code, %s: definitions stay whole, a long one is cut into those within it', async (mime, content, expected) => {
  const document = await parse(mime, content)
  expect(document.title).toBeUndefined()
  expect(document.blocks.every(({ kind }) => kind === 'code')).toBe(true)
  expect(outline(document)).toEqual(expected)
})

test('RTF: code pages of fonts, Unicode with a fallback, hidden groups, tables, title', async () => {
  const document = await parse(
    'application/rtf',
    String.raw`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Arial;}}{\info{\title \'dcbersicht}{\author X}}{\*\generator Y;}\pard\f0 Gr\'f6\'dfe der B\u252?ros\par {\f1\'cf\'f0\'e8\'e2\'e5\'f2}\par \trowd\pard\intbl Role\cell Days\cell\row\pard\intbl Dev\par too\cell 30\cell\row\pard\outlinelevel0 Head\par\pard After \{it\}\par}`,
  )
  expect(document.title).toBe('Übersicht')
  expect(outline(document)).toEqual([
    ['', 'Größe der Büros'],
    ['', 'Привет'],
    ['', '| Role | Days |\n| Dev too | 30 |'],
    ['Head', 'After {it}'],
  ])
})

const MAIL = [
  'From: =?utf-8?Q?J=C3=B6rg?= <j@example.org>',
  'To: a@example.org, Bob <b@example.org>',
  'Subject: =?iso-8859-1?Q?Gr=FC=DFe?=',
  'Date: Mon, 30 Nov 2026 10:00:00 +0000',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b1',
  '',
  '--b1',
  'Content-Type: text/plain; charset=iso-8859-1',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  'Gr=FC=DFe aus M=FCnchen.',
  '--b1',
  'Content-Type: text/csv; name=days.csv',
  'Content-Disposition: attachment; filename=days.csv',
  'Content-Transfer-Encoding: base64',
  '',
  Buffer.from('Role,Days\nDev,30\n').toString('base64'),
  '--b1',
  'Content-Type: message/rfc822',
  'Content-Disposition: attachment; filename=inner.eml',
  '',
  'Subject: Inner',
  '',
  'Inner words',
  '--b1',
  'Content-Type: application/octet-stream',
  'Content-Disposition: attachment; filename=x.bin',
  'Content-Transfer-Encoding: base64',
  '',
  'AAECAwQ=',
  '--b1--',
  '',
].join('\n')
const HEAD = 'From: Jörg <j@example.org>\nTo: a@example.org, Bob <b@example.org>\nDate: 2026-11-30T10:00:00.000Z\nSubject: Grüße'
const NOT_READ = 'Not read:\nx.bin: the content is no text, which is not read; send '

test('e-mail: who wrote what to whom, with attachments below their names; one that is not read is named', async () => {
  const document = await parse('message/rfc822', MAIL)
  expect(document.title).toBe('Grüße')
  expect(outline(document).map(([path, text = '']) => [path, text.slice(0, NOT_READ.length)])).toEqual([
    ['', HEAD.slice(0, NOT_READ.length)],
    ['', 'Grüße aus München.'],
    ['days.csv', '| Role | Days |\n| Dev | 30 |'],
    ['inner.eml', 'Subject: Inner'],
    ['inner.eml', 'Inner words'],
    ['', NOT_READ],
  ])
})

test('mailbox: each message below its subject', async () => {
  const box = `From a@b Mon Nov 30 10:00:00 2026\n${MAIL}\nFrom c@d Mon Nov 30 11:00:00 2026\nFrom: c@d\nSubject: Second\n\nHello\n>From here on.\n`
  const paths = outline(await parse('application/mbox', box)).map(([path]) => path)
  expect(paths).toEqual([
    'Grüße',
    'Grüße',
    'Grüße > days.csv',
    'Grüße > inner.eml',
    'Grüße > inner.eml',
    'Grüße',
    'Second',
    'Second',
  ])
})

test('a message in a message in a message ends somewhere', async () => {
  let mail = 'Subject: deepest\n\nwords'
  for (let depth = 0; depth < 10; depth += 1)
    mail = `Subject: at ${depth}\nContent-Type: message/rfc822\nContent-Disposition: attachment; filename=m.eml\n\n${mail}`
  const { text } = await parse('message/rfc822', mail)
  expect(text).toContain('m.eml: it is nested too deeply')
})

test('HTML: of a page that marks its main part only that; lists, code, hidden parts', async () => {
  const document = await parse(
    'text/html',
    `<title>T</title><header>Site</header><nav>menu</nav><main><h1>Rules</h1><p hidden>no</p><p>Be <b>kind</b>. ${'Words. '.repeat(40)}</p><ul><li>one<li>two<ul><li>deep</ul></ul><pre>x = 1\n  y</pre></main><footer>foot</footer>`,
  )
  expect(outline(document)).toEqual([
    ['Rules', `Be kind. ${'Words. '.repeat(40).trim()}`],
    ['Rules', '- one\n- two\n  - deep'],
    ['Rules', 'x = 1\n  y'],
  ])
})

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { FileMime } from '@youworker/contracts/file-types'
import {
  sampleBook,
  sampleOpenDocument,
  sampleSheets,
  sampleSlides,
  sampleWord,
  sampleZip,
} from '@youworker/test-kit/sample-office'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { expect, test } from 'vitest'
import { chunkDocument } from '../../chunking/chunk-document.ts'
import { loadParser } from '../../parsing/parse-file.ts'
import { embeddable } from '../search/embedding-service.ts'
import { pipelineVersion } from './pipeline-version.ts'

const SIZE = { tokens: 40, overlap: 12 }
const PROSE = Array.from({ length: 12 }, (_, at) => `Sentence ${at} is about topic ${at}; e.g. “leave”.`).join(' ')
const CORPUS: readonly (readonly [mime: FileMime, content: string | Uint8Array])[] = [
  ['text/plain', `${PROSE}\n\n${'休暇は二十五日です。'.repeat(40)}\n\n${'x'.repeat(3_000)}\r\n\r\nend 🙂`],
  [
    'text/markdown',
    `---\na: b\n---\n# The [Hand](x)book\n\n${PROSE}\n\n## \`Code\`\n\n\`\`\`\n# no heading\n\`\`\`\n\nSet\next\n---\n- a\n\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n# Bare\n## ${'long '.repeat(300)}\n\nend`,
  ],
  ['text/html', `<title>T</title><nav>no</nav><h1>A <b>b</b></h1><p>${PROSE}</p><table><tr><td>1</td><td>2</td></tr></table>`],
  ['text/csv', `Role,Days\n${'Dev,30\n'.repeat(60)}`],
  ['application/json', JSON.stringify({ name: 'Shop', items: [{ id: 1, text: PROSE.repeat(3) }] })],
  ['text/x-python', `import os\n\ndef a():\n    return 1\n\nclass B:\n${'    def c(self):\n        pass\n'.repeat(80)}`],
  ['application/xml', `<a><b id="1">${PROSE}</b><b>2</b></a>`],
  ['application/rtf', `{\\rtf1 ${PROSE}\\par end}`],
  ['message/rfc822', `Subject: Bees\nFrom: a@example.org\n\n${PROSE}`],
  [
    'application/zip',
    sampleZip({
      'a.docx': sampleWord('W', [
        ['H1', 'A'],
        PROSE,
        [
          ['x', 'y'],
          ['1', '2'],
        ],
      ]),
      'b.txt': PROSE,
    }),
  ],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', sampleSheets({ A: [['n'], [0.5], ['x']] })],
  [
    'application/vnd.openxmlformats-officedocument.presentationml.presentation',
    sampleSlides('S', [{ title: 'A', lines: ['x', 'y'] }]),
  ],
  ['application/vnd.oasis.opendocument.text', sampleOpenDocument('text', 'O', `<text:h>A</text:h><text:p>${PROSE}</text:p>`)],
  ['application/epub+zip', sampleBook('B', [`<h1>A</h1><p>${PROSE}</p>`])],
  ['application/pdf', samplePdf([['First page exam-', 'ple.'], ['Second.']], 'Handbook')],
]

/** The fingerprint of all that is stored of the corpus. */
async function chunksOfCorpus(): Promise<string> {
  const hash = createHash('sha256')
  for (const [mime, content] of CORPUS) {
    const document = await (await loadParser(mime))(Uint8Array.from(Buffer.from(content)))
    const chunks = [...chunkDocument(document, SIZE)].map((chunk) => ({ ...chunk, ...embeddable(chunk) }))
    hash.update(JSON.stringify([document.title, chunks]))
  }
  return hash.digest('hex').slice(0, 16)
}

test('other chunks for the same files mean another pipeline version', async () => {
  const known = JSON.parse(await readFile(new URL('./pipeline-versions.json', import.meta.url), 'utf8')) as Record<string, string>
  const version = pipelineVersion(SIZE)
  const chunks = await chunksOfCorpus()
  const line = `"${version}": "${chunks}"`
  expect(known[version], `This pipeline is new: add ${line} to pipeline-versions.json, and leave its other lines`).toBeDefined()
  expect(
    chunks,
    'The same files give other chunks than before: raise `version` in parsing-parameters.ts or chunking-parameters.ts, so that stored documents are read again',
  ).toBe(known[version])
})

test('each configured size is part of the pipeline version', () => {
  const sizes = [SIZE, { ...SIZE, tokens: 41 }, { ...SIZE, overlap: 13 }]
  expect(new Set(sizes.map(pipelineVersion)).size).toBe(3)
})

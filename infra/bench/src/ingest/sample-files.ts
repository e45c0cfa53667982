import { samplePdf } from '@youworker/test-kit/sample-pdf'

const WORDS =
  'leave request manager travel expense invoice server restart backup contract customer delivery quality safety training holiday window report budget meeting'.split(
    ' ',
  )

export type Files = ReadonlyMap<string, Uint8Array>

const sentence = (seed: number): string =>
  Array.from({ length: 11 }, (_, at) => WORDS[(seed * 7 + at * (1 + (seed % 5))) % WORDS.length]).join(' ')

export function smallFiles(count: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const of = (n: number) =>
    `# Note ${n} of ${mark}\n\n${Array.from({ length: 6 }, (_, at) => `${mark} ${n} ${sentence(n * 6 + at)}.`).join(' ')}\n`
  return new Map(Array.from({ length: count }, (_, n) => [`notes/${mark}/${n}.md`, Buffer.from(of(n))]))
}

export function pdfFiles(count: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const page = (n: number, at: number) =>
    Array.from({ length: 30 }, (_, line) => `${mark} ${n} ${sentence(n * 90 + at * 30 + line)}`)
  const of = (n: number) => samplePdf([page(n, 0), page(n, 1), page(n, 2)], `Report ${n}`)
  return new Map(Array.from({ length: count }, (_, n) => [`reports/${mark}/${n}.pdf`, of(n)]))
}

export function bigText(megabytes: number): Files {
  const mark = crypto.randomUUID().slice(0, 8)
  const parts: string[] = []
  for (let size = 0, n = 0; size < megabytes * 1024 * 1024; n += 1) {
    const paragraph = `${Array.from({ length: 8 }, (_, at) => `${mark} ${n} ${sentence(n * 8 + at)}.`).join(' ')}\n\n`
    parts.push(paragraph)
    size += paragraph.length
  }
  return new Map([[`long/${mark}.txt`, Buffer.from(parts.join(''))]])
}

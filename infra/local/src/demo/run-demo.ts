import { existsSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { ROOT } from '../paths.ts'
import type { Print } from '../print.ts'
import { askQuestion } from './ask-question.ts'
import type { CollectedFiles, GivenFile } from './collect-files.ts'
import type { GatewayClient } from './gateway-client.ts'
import { uploadFiles } from './upload-files.ts'

/** Exit codes of --once. */
export const EXIT = { cited: 0, startFailed: 1, fileFailed: 2, notCited: 3 } as const

/** The demo without given files reads the project's README and docs, and asks a question that they answer. */
const OWN_DOCS = ['README.md', 'docs'].map((name) => join(ROOT, name))
const OWN_QUESTION = 'Are message text and original files sealed?'

export const ownDocs = (): string[] => OWN_DOCS.filter((path) => existsSync(path))

export interface DemoOptions {
  readonly gateway: GatewayClient
  readonly collected: CollectedFiles
  /** Whether the files are the project's own, because the user gave none. */
  readonly areOwn: boolean
  readonly question: string | undefined
  readonly ask: boolean
  readonly print: Print
  readonly write: (text: string) => void
}

/** Signs in, uploads the files and asks a question over HTTP. Returns the exit code and prints why it is not 0. */
export async function runDemo({ gateway, collected, areOwn, question, ask, print, write }: DemoOptions): Promise<number> {
  const { files, skipped } = collected
  print(
    `Documents: reading ${areOwn ? "the project's own README and docs" : `${files.length} ${files.length === 1 ? 'file' : 'files'}`} as ${await gateway.whoAmI()} …`,
  )
  if (skipped > 0) print(`Documents: ${skipped} files of kinds that are not read were left out`)
  const { documentIds, failures } = await uploadFiles(gateway, files, print)
  if (!ask) return failures.length > 0 ? EXIT.fileFailed : EXIT.cited
  const { citations, content } = await askQuestion(
    gateway,
    question ?? (areOwn ? OWN_QUESTION : await questionAbout(gateway, files, documentIds)),
    print,
    write,
  )
  if (failures.length > 0) {
    print(`${failures.length} of ${files.length} files failed: ${failures.join('; ')}`)
    return EXIT.fileFailed
  }
  if (citations.some(({ document_id }) => documentIds.has(document_id))) return EXIT.cited
  print(
    content.trim() === ''
      ? 'There was no answer.'
      : `The answer cites none of the given files. Ask with words that stand in them: npm start -- FILE --ask "…"`,
  )
  return EXIT.notCited
}

/** Makes a question from a heading or the first words of a given document, for a user who gave files and no question. */
async function questionAbout(gateway: GatewayClient, files: readonly GivenFile[], ids: ReadonlySet<string>): Promise<string> {
  const name = basename(files[0]?.name ?? '', extname(files[0]?.name ?? '')).replaceAll(/[_-]+/g, ' ')
  const hit = (await gateway.search(name)).find(({ document_id }) => ids.has(document_id))
  const topic = hit?.title_path?.at(-1) ?? hit?.text.trim().split(/\s+/).slice(0, 8).join(' ') ?? name
  return `What do the documents say about ${topic.replace(/[.:;,!?]+$/, '')}?`
}

import { existsSync } from 'node:fs'
import { basename, extname, join, relative } from 'node:path'
import { EXAMPLES } from '@youworker/contracts/documents/search'
import type { Done } from '@youworker/contracts/agent/run-log'
import { ROOT } from '../paths.ts'
import { counted, type Output } from '../print.ts'
import { askQuestion } from './ask-question.ts'
import { type CollectedFiles, collectFiles, type GivenFile, leftOut } from './collect-files.ts'
import type { GatewayClient } from './gateway-client.ts'
import { uploadFiles } from './upload-files.ts'

/** Exit codes of --once. */
export const EXIT = { cited: 0, startFailed: 1, fileFailed: 2, notCited: 3 } as const

/** The demo without given files reads the project's README and docs, and asks a question that they answer. */
const OWN_DOCS = ['README.md', 'docs'].map((name) => join(ROOT, name))
const OWN_QUESTION = 'Are message text and original files sealed?'

export interface DemoOptions {
  readonly gateway: GatewayClient
  /** `undefined`: the user gave none. */
  readonly given: CollectedFiles | undefined
  readonly question: string | undefined
  readonly ask: boolean
  /** The command that asks a question, to be pasted. */
  readonly askCommand: string
  readonly output: Output
}

/** Uploads files and asks a question over HTTP. Returns the exit code and prints why it is not 0. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { gateway, given, question, ask, output } = options
  if (given) return demoOf(options, given)
  if (!ask) return EXIT.cited
  const theirs = (await gateway.countDocuments()) - (await gateway.countDocuments(EXAMPLES))
  if (theirs === 0) return demoOf({ ...options, question: question ?? OWN_QUESTION }, await ownDocs(), EXAMPLES)
  output.print(`Documents: ${counted(theirs, 'document')} from before`)
  if (question !== undefined) return exitCodeOf(options, await askQuestion(gateway, question, output))
  output.print(`Ask about them: ${options.askCommand}`)
  return EXIT.cited
}

/** The project's own docs, under names that no document of the user has. */
async function ownDocs(): Promise<CollectedFiles> {
  const { files } = await collectFiles(
    OWN_DOCS.filter((path) => existsSync(path)),
    ROOT,
  )
  // What is generated for programs is nothing to ask about.
  const pages = files.filter(({ path }) => path.endsWith('.md'))
  return { files: pages.map(({ path }) => ({ path, name: `YouWorker/${relative(ROOT, path)}` })), skipped: 0 }
}

async function demoOf(options: DemoOptions, { files, skipped }: CollectedFiles, collection?: string): Promise<number> {
  const { gateway, question, ask, output } = options
  const { print } = output
  const what = collection === EXAMPLES ? "the project's own README and docs" : counted(files.length, 'file')
  print(`Documents: reading ${what} as ${await gateway.whoAmI()} …`)
  if (skipped > 0) print(`Documents: ${leftOut(skipped)}`)
  const { documentIds, failures } = await uploadFiles(gateway, files, { output, collection })
  if (collection === EXAMPLES) print('Documents: they stay out of answers as soon as you have documents of your own')
  if (!ask || files.length === 0) return failures.length > 0 ? EXIT.fileFailed : EXIT.cited
  const done = await askQuestion(gateway, question ?? (await questionAbout(gateway, files, documentIds)), output)
  if (failures.length > 0) {
    print(`${failures.length} of ${counted(files.length, 'file')} failed: ${failures.join('; ')}`)
    return EXIT.fileFailed
  }
  return exitCodeOf(options, done, documentIds)
}

/** An answer has to cite one of `wanted`, or any document. */
function exitCodeOf({ askCommand, output }: DemoOptions, { citations, content }: Done, wanted?: ReadonlySet<string>): number {
  if (citations.some(({ document_id }) => wanted?.has(document_id) ?? true)) return EXIT.cited
  const what = wanted ? 'none of the given files' : 'no document'
  output.print(
    content.trim() === '' ? 'There was no answer.' : `The answer cites ${what}. Ask with words that stand in them: ${askCommand}`,
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

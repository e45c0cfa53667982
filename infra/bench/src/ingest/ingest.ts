import pg from 'pg'
import { ApiUser } from '../api-user.ts'
import { isQuick, rounds } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { type Cost, cpuOf, printByProcess, spread } from '../measuring/measure.ts'
import { startSystem } from '../system.ts'
import { startBaseline } from './baseline.ts'
import { printFairness } from './fairness.ts'
import { measuredRuns, print } from './measured-run.ts'
import { bigText, pdfFiles, smallFiles } from './sample-files.ts'

const SMALL = isQuick ? 200 : 1_000
const PDFS = isQuick ? 20 : 100
const BIG_MB = isQuick ? 4 : 100
const ROUNDS = rounds(3)

/**
 * Small Markdown files, PDFs and one long text, from the first byte of the upload until the last of them can be found; against one process that
 * parses and embeds the same and stores nothing. The ratio is bare / system in CPU for one small file.
 */
export async function ingest(stack: AsyncDisposableStack): Promise<number> {
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m, { INGEST__MAX_FILE_MB: '120' })
  const database = new pg.Client({ connectionString: endpoints.postgres })
  await database.connect()
  stack.defer(() => database.end())
  const root = ApiUser.root(endpoints)
  const model = endpoints.processes.find(({ name }) => name === 'offline-model')?.url ?? ''
  const baseline = await startBaseline(stack, model)
  const run = await measuredRuns(endpoints, database, root)
  await run(smallFiles(SMALL / 4))
  const ratios: number[] = []
  const costs: Cost[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const files = smallFiles(SMALL)
    const bare = await baseline(files)
    const system = await run(files)
    costs.push(system.cost)
    ratios.push(bare / cpuOf(system.cost))
    print(`round ${round}: ${SMALL} small files`, system, bare)
  }
  printByProcess(costs, 'small file')
  for (const [what, unit, files] of [
    [`${PDFS} PDFs`, 'PDF', pdfFiles(PDFS)],
    [`a text of ${BIG_MB} MB`, 'chunk', bigText(BIG_MB)],
  ] as const) {
    const bare = await baseline(files)
    const measured = await run(files)
    print(what, measured, bare)
    const units = unit === 'chunk' ? measured.chunks : 1
    printByProcess([{ ...measured.cost, cpu: new Map([...measured.cost.cpu].map(([name, ms]) => [name, ms / units])) }], unit)
  }
  await printFairness(root)
  console.log(`bare / system for a small file: ${spread(ratios)}`)
  return median(ratios)
}

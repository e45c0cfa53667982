import { realpath } from 'node:fs/promises'
import { join } from 'node:path'

const SOURCES = join(import.meta.dirname, '..')
const ROOT = join(SOURCES, '../../..')

/** The child may read its own code and nothing else: no network, no other process, no other file (Node's permission model). */
export const CONFINEMENT: readonly string[] = [
  '--permission',
  ...['reading', 'parsing', 'chunking', 'analysis'].map((folder) => `--allow-fs-read=${SOURCES}/${folder}/*`),
  `--allow-fs-read=${ROOT}/node_modules/*`,
  // It may be a link to where the packages are.
  `--allow-fs-read=${await realpath(join(ROOT, 'node_modules'))}/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/node_modules/*`,
  `--allow-fs-read=${ROOT}/services/ingestion/package.json`,
  `--allow-fs-read=${ROOT}/packages/runtime/package.json`,
  `--allow-fs-read=${ROOT}/packages/runtime/src/text/*`,
  `--allow-fs-read=${ROOT}/packages/contracts/package.json`,
  `--allow-fs-read=${ROOT}/packages/contracts/src/*`,
  '--max-old-space-size=512',
  '--disable-warning=ExperimentalWarning',
]

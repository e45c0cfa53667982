import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { ROOT } from '../paths.ts'
import { StartError } from '../start-error.ts'

const FILE = join(ROOT, '.env')
const LARGEST_BYTES = 1_048_576
const BYTE_ORDER_MARK = '\uFEFF'

/** What the project's file .env contains. */
export interface DotEnv {
  readonly values: NodeJS.ProcessEnv
  /** Names before a colon, as in YAML: such lines set nothing. */
  readonly withColon: readonly string[]
}

/** `undefined` without that file. Throws {@link StartError} when it cannot be read. */
export function readDotEnv(): DotEnv | undefined {
  let text: string
  try {
    const { size } = statSync(FILE)
    if (size > LARGEST_BYTES) throw new StartError(`${FILE} is larger than 1 MiB. It has to be a file with lines NAME=value.`)
    text = readFileSync(FILE, 'utf8')
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'ENOENT') return undefined
    throw new StartError(`${FILE} ${WHY[code] ?? `cannot be read (${code})`}`, { cause })
  }
  const values = parseEnv(text.replace(BYTE_ORDER_MARK, ''))
  const withColon = Array.from(text.matchAll(/^([A-Z][A-Z0-9_]{2,60}):/gm), ([, name = '']) => name)
  return { values, withColon: withColon.filter((name) => !(name in values)) }
}

const WHY: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder. It has to be a file with lines NAME=value; move the folder away.',
  EACCES: 'cannot be read: this user has no permission to. Make it yours, with chmod 600.',
  EPERM: 'cannot be read: this user has no permission to. Make it yours, with chmod 600.',
}

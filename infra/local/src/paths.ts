import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../../..')
export const DEFAULT_DATA_DIR = join(ROOT, '.youworker')
/** The folder in which the user typed the command. npm changes to the package's folder and keeps the original in INIT_CWD. */
export const callerDir = (): string => process.env['INIT_CWD'] ?? process.cwd()
/** A word of a shell command, to be pasted. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`

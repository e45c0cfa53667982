import { forTerminal } from '@youworker/runtime/text/text'

export type Print = (line: string) => void

/** What a command shows. */
export interface Output {
  readonly print: Print
  /** Without a line end. */
  readonly write: Print
  /** Shows one line that the next call rewrites; '' takes it away. `undefined` where nothing can be rewritten. */
  readonly status: Print | undefined
}

/** ECMA-48: to the first column, and erase to the end of the line. */
const ERASE = '\r\u001B[K'
const isTerminal = process.stdout.isTTY
let statusLine = ''

/** Prints text on the terminal. It may come from a model, a file or a server: its escape sequences do nothing. */
export const write: Print = (text) =>
  void process.stdout.write(statusLine === '' ? forTerminal(text) : `${ERASE}${forTerminal(text)}${statusLine}`)

/** Prints a line on the terminal. */
export const print: Print = (line) => write(`${line}\n`)

function showStatus(line: string): void {
  statusLine = fitted(forTerminal(line).replaceAll('\n', ' '), (process.stdout.columns || 80) - 1)
  process.stdout.write(`${ERASE}${statusLine}`)
}

/** At most so many columns. All characters but ASCII count as two, which is the most that any takes. */
function fitted(line: string, columns: number): string {
  let width = 0
  const end = Array.from(line).findIndex((character) => (width += character < '\u007F' ? 1 : 2) > columns)
  return end === -1 ? line : Array.from(line).slice(0, end).join('')
}

export const output: Output = { print, write, status: isTerminal ? showStatus : undefined }

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** `1 file`, `2 files`. */
export const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

import { forTerminal } from '@youworker/runtime/text/text'

export type Print = (line: string) => void

/** Prints text on the terminal. It may come from a model, a file or a server: its escape sequences do nothing. */
export const write: Print = (text) => void process.stdout.write(forTerminal(text))

/** Prints a line on the terminal. */
export const print: Print = (line) => write(`${line}\n`)

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

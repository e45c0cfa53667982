export type Print = (line: string) => void

/** Prints a line on the terminal. */
export const print: Print = (line) => void process.stdout.write(`${line}\n`)

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

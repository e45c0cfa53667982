export type Print = (line: string) => void

/** A line for the person at the keyboard. */
export const print: Print = (line) => void process.stdout.write(`${line}\n`)

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

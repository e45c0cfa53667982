export type Say = (line: string) => void

/** A line for the person at the keyboard. */
export const say: Say = (line) => void process.stdout.write(`${line}\n`)

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

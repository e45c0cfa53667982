import type { Output } from '../print.ts'

/** Between two lines where none can be rewritten. */
const EVERY_MS = 5_000
/** Share of all bytes from which on the time that is left can be told. */
const TELLING = 0.05

interface Amount {
  readonly files: number
  readonly bytes: number
}

/** Tells how far the reading of files is: in one line that is rewritten on a terminal, elsewhere in a line every 5 s. */
export class Progress implements Disposable {
  readonly #total: Amount
  readonly #output: Output
  readonly #now: () => number
  readonly #began: number
  #done: Amount = { files: 0, bytes: 0 }
  #printed: number

  constructor(total: Amount, output: Output, now = () => performance.now()) {
    this.#total = total
    this.#output = output
    this.#now = now
    this.#printed = this.#began = now()
  }

  /** Counts what is done for good. */
  add(done: Amount): void {
    this.#done = sum(this.#done, done)
  }

  /** `underWay` is done besides; `current` is the name of the file that is read at the moment. */
  show(underWay: Amount, current: string | undefined): void {
    const { status, print } = this.#output
    const now = this.#now()
    const line = () => `${this.#line(sum(this.#done, underWay), now)}${current === undefined ? '' : `: ${current}`}`
    if (status) return status(line())
    if (now - this.#printed < EVERY_MS) return
    this.#printed = now
    print(line())
  }

  [Symbol.dispose](): void {
    this.#output.status?.('')
  }

  #line({ files, bytes }: Amount, now: number): string {
    const elapsed = (now - this.#began) / 1_000
    const parts = [`Documents: ${files} of ${this.#total.files} read`]
    if (files > 0) parts.push(`${(files / elapsed).toFixed(1)} a second`)
    if (bytes > TELLING * this.#total.bytes) parts.push(`${duration((elapsed * (this.#total.bytes - bytes)) / bytes)} left`)
    return parts.join(', ')
  }
}

const sum = (a: Amount, b: Amount): Amount => ({ files: a.files + b.files, bytes: a.bytes + b.bytes })

function duration(seconds: number): string {
  if (seconds < 100) return `${Math.ceil(seconds)} s`
  return `${Math.ceil(seconds / 60)} min`
}

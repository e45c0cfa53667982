import { statfs } from 'node:fs/promises'
import type { Print } from '../print.ts'
import type { ProcessSpec } from '../supervisor/supervised-process.ts'

const MB = 1024 * 1024
/** Postgres needs room for its recovery (WAL segments of 16 MB each) before it answers; NATS opens its streams only with some. */
const NEEDED = 32 * MB
/** More than {@link NEEDED}, so that the state does not change with every log line. */
const ENOUGH = 48 * MB

interface DiskWatchOptions {
  readonly dir: string
  readonly print: Print
}

/** Knows whether the file system of the data folder is too full for the servers to start. */
export class DiskWatch {
  readonly #options: DiskWatchOptions
  #free = Number.POSITIVE_INFINITY
  #isFull = false
  #lastFullAt = Number.NEGATIVE_INFINITY

  constructor(options: DiskWatchOptions) {
    this.#options = options
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** `performance.now()` of the last look at which it was full. */
  get lastFullAt(): number {
    return this.#lastFullAt
  }

  /** Returns whether it has become usable again since the last look. */
  async look(): Promise<boolean> {
    const { dir, print } = this.#options
    const { bavail, bsize } = await statfs(dir)
    this.#free = bavail * bsize
    const wasFull = this.#isFull
    this.#isFull = this.#free < (wasFull ? ENOUGH : NEEDED)
    if (this.#isFull) this.#lastFullAt = performance.now()
    if (this.#isFull && !wasFull) print(`Disk: ${this.#why()}`)
    if (wasFull && !this.#isFull) print(`Disk: ${inMb(this.#free)} are free again in ${dir}`)
    return wasFull && !this.#isFull
  }

  /** The same server, which is not launched while the disk is full: it would fail, or come up without its data. */
  guard(spec: ProcessSpec): ProcessSpec {
    return {
      ...spec,
      launch: async () => {
        await this.look()
        if (this.#isFull) throw new Error(`not started: ${this.#why()}`)
        return spec.launch()
      },
    }
  }

  #why(): string {
    return `only ${inMb(this.#free)} are free in ${this.#options.dir}, where at least ${inMb(ENOUGH)} are needed; make room there`
  }
}

const inMb = (bytes: number): string => `${Math.floor(bytes / MB)} MB`

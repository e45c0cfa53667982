import { TERMINAL } from '@youworker/contracts/common'
import type { RunFileRow } from '@youworker/database/owners/ingestion/tables'
import { isRecording } from './stages/recording-listener.ts'

/** One batch holds so many files at most, and so many bytes unless it is one file. */
const MOST_FILES = 32
const MOST_BYTES = 1024 * 1024

/** Its worker died while it read this file, perhaps because of it. */
const isSuspect = ({ read_tries }: RunFileRow): boolean => read_tries > 0

const isAlone = (file: RunFileRow): boolean => isSuspect(file) || isRecording(file)

export const isDone = ({ status, stage }: RunFileRow): boolean =>
  TERMINAL.includes(status) && (status !== 'success' || stage === 'done')

/** Hands out the files of a run in batches. Files with the same path or the same bytes go one after the other. */
export class FileQueue {
  #waiting: readonly RunFileRow[]
  readonly #busy = new Map<RunFileRow, readonly string[]>()
  #changed = Promise.withResolvers<void>()

  constructor(files: readonly RunFileRow[]) {
    // Recordings take longest, and come last so that nothing waits behind them.
    this.#waiting = files.filter((file) => !isDone(file)).toSorted((a, b) => Number(isRecording(a)) - Number(isRecording(b)))
  }

  /** `undefined` when nothing is left. */
  async next(): Promise<readonly RunFileRow[] | undefined> {
    for (;;) {
      const batch = this.#pick()
      if (batch.length > 0) return batch
      if (this.#waiting.length === 0) return undefined
      await this.#changed.promise
    }
  }

  done(batch: readonly RunFileRow[]): void {
    for (const file of batch) this.#busy.delete(file)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #pick(): readonly RunFileRow[] {
    const taken = new Set([...this.#busy.values()].flat())
    const batch: RunFileRow[] = []
    let bytes = 0
    for (const file of this.#waiting) {
      const keys = [`uri:${file.uri}`, ...(file.sha256 === null ? [] : [`bytes:${file.sha256}`])]
      if (keys.some((key) => taken.has(key))) {
        // Also those behind it have to wait for it.
        taken.add(`uri:${file.uri}`)
        continue
      }
      if (batch.length > 0 && (batch.length === MOST_FILES || bytes + file.size_bytes > MOST_BYTES || isAlone(file))) break
      batch.push(file)
      bytes += file.size_bytes
      for (const key of keys) taken.add(key)
      this.#busy.set(file, keys)
      if (isAlone(file)) break
    }
    this.#waiting = this.#waiting.filter((file) => !batch.includes(file))
    return batch
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type DrawnPage, type FileToRead, type PageToDraw, ReaderProcess, type ReadPiece } from './reader-process.ts'

const IDLE_MS = 20_000
/** Then a new child starts with empty memory. */
const MOST_FILES = 2_000
const MOST_IDLE = 4
/** A file up to this size waits so long for a child of its space, because it would be read before a new one has started. */
const SHORT = { bytes: 256 * 1024, waitMs: 1_000 } as const

interface Idle {
  readonly spaceId: string
  readonly reader: ReaderProcess
  readonly timer: NodeJS.Timeout
}

interface Busy {
  readonly spaceId: string
  readonly isShort: boolean
  readonly isFree: Promise<void>
}

/**
 * Keeps the children that read files for a while, because a start costs more than twenty small files. A child reads files of one space in
 * all its life, so that what a file may do to it reaches no other space.
 */
export class ReaderPool implements Disposable {
  readonly #languages: readonly string[]
  readonly #idle: Idle[] = []
  readonly #busy = new Map<ReaderProcess, Busy>()

  /** Of texts in pictures. */
  constructor(languages: readonly string[]) {
    this.#languages = languages
  }

  /** Throws as {@link ReaderProcess} does. */
  async *read(spaceId: string, file: FileToRead): AsyncGenerator<ReadPiece> {
    const isShort = file.size <= SHORT.bytes
    const reader = await this.#take(spaceId, isShort)
    const { promise: isFree, resolve } = Promise.withResolvers<void>()
    this.#busy.set(reader, { spaceId, isShort, isFree })
    try {
      yield* reader.read(file)
    } finally {
      this.#busy.delete(reader)
      this.#keep(spaceId, reader)
      resolve()
    }
  }

  /** Throws as {@link ReaderProcess} does. */
  async draw(spaceId: string, file: PageToDraw): Promise<DrawnPage> {
    const reader = await this.#take(spaceId, false)
    const { promise: isFree, resolve } = Promise.withResolvers<void>()
    this.#busy.set(reader, { spaceId, isShort: false, isFree })
    try {
      return await reader.draw(file)
    } finally {
      this.#busy.delete(reader)
      this.#keep(spaceId, reader)
      resolve()
    }
  }

  [Symbol.dispose](): void {
    for (const { reader, timer } of this.#idle.splice(0)) {
      clearTimeout(timer)
      reader[Symbol.dispose]()
    }
    for (const reader of this.#busy.keys()) reader[Symbol.dispose]()
  }

  async #take(spaceId: string, isShort: boolean): Promise<ReaderProcess> {
    for (const until = performance.now() + SHORT.waitMs; ;) {
      const idle = this.#idleOf(spaceId)
      if (idle) return idle
      const soon = [...this.#busy.values()].filter((busy) => busy.isShort && busy.spaceId === spaceId)
      const waitMs = until - performance.now()
      if (!isShort || soon.length === 0 || waitMs <= 0) return new ReaderProcess({}, this.#languages)
      await Promise.race([...soon.map(({ isFree }) => isFree), sleep(waitMs, undefined, { ref: false })])
    }
  }

  #idleOf(spaceId: string): ReaderProcess | undefined {
    for (;;) {
      const at = this.#idle.findIndex((idle) => idle.spaceId === spaceId)
      if (at < 0) return undefined
      const [found] = this.#idle.splice(at, 1)
      clearTimeout(found?.timer)
      if (found && !found.reader.isDead) return found.reader
    }
  }

  #keep(spaceId: string, reader: ReaderProcess): void {
    if (reader.isDead) return
    if (reader.files >= MOST_FILES) return reader[Symbol.dispose]()
    const drop = () => {
      const at = this.#idle.findIndex((idle) => idle.reader === reader)
      if (at >= 0) this.#idle.splice(at, 1)
      reader[Symbol.dispose]()
    }
    this.#idle.push({ spaceId, reader, timer: setTimeout(drop, IDLE_MS).unref() })
    const [oldest] = this.#idle
    if (this.#idle.length <= MOST_IDLE || !oldest) return
    clearTimeout(oldest.timer)
    this.#idle.shift()
    oldest.reader[Symbol.dispose]()
  }
}

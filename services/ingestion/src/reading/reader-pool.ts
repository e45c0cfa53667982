import { familyOf } from '@youworker/contracts/file-types'
import { type FileToRead, ReaderProcess, type ReadPiece } from './reader-process.ts'

const IDLE_MS = 20_000
/** Then a new child starts with empty memory. */
const MOST_FILES = 2_000
const MOST_IDLE = 2
/** What is text has little to attack a parser with: one child reads such files of everybody. */
const PLAIN: ReadonlySet<string> = new Set(['text', 'markdown', 'code', 'json', 'json-lines', 'table'])
const EVERYBODY = 'everybody'

interface Idle {
  readonly owner: string
  readonly reader: ReaderProcess
  readonly timer: NodeJS.Timeout
}

/**
 * Keeps the children that read files for a while, because a start costs more than a small file. A child that has read a file of a format
 * reads on only for the same run; so what a file may do to it reaches no file of somebody else.
 */
export class ReaderPool implements Disposable {
  readonly #languages: readonly string[]
  readonly #idle: Idle[] = []
  readonly #busy = new Set<ReaderProcess>()

  /** Of texts in pictures. */
  constructor(languages: readonly string[]) {
    this.#languages = languages
  }

  /** `owner`: the run. Throws as {@link ReaderProcess} does. */
  async *read(owner: string, file: FileToRead): AsyncGenerator<ReadPiece> {
    const key = PLAIN.has(familyOf(file.mime)) ? EVERYBODY : owner
    const reader = this.#take(key)
    this.#busy.add(reader)
    try {
      yield* reader.read(file)
    } finally {
      this.#busy.delete(reader)
      this.#keep(key, reader)
    }
  }

  [Symbol.dispose](): void {
    for (const { reader, timer } of this.#idle.splice(0)) {
      clearTimeout(timer)
      reader[Symbol.dispose]()
    }
    for (const reader of this.#busy) reader[Symbol.dispose]()
  }

  #take(owner: string): ReaderProcess {
    for (;;) {
      const at = this.#idle.findIndex((idle) => idle.owner === owner)
      if (at < 0) return new ReaderProcess({}, this.#languages)
      const [found] = this.#idle.splice(at, 1)
      clearTimeout(found?.timer)
      if (found && !found.reader.isDead) return found.reader
    }
  }

  #keep(owner: string, reader: ReaderProcess): void {
    if (reader.isDead) return
    if (reader.files >= MOST_FILES) return reader[Symbol.dispose]()
    const drop = () => {
      const at = this.#idle.findIndex((idle) => idle.reader === reader)
      if (at >= 0) this.#idle.splice(at, 1)
      reader[Symbol.dispose]()
    }
    this.#idle.push({ owner, reader, timer: setTimeout(drop, IDLE_MS).unref() })
    const [oldest] = this.#idle
    if (this.#idle.length <= 2 * MOST_IDLE || !oldest) return
    clearTimeout(oldest.timer)
    this.#idle.shift()
    oldest.reader[Symbol.dispose]()
  }
}

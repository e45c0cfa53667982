import type { FileMime } from '@youworker/contracts/file-types'
import type { DocumentBuilder } from './document-builder.ts'
import type { ParsedDocument } from './parsed-document.ts'
import { PARSING } from './parsing-parameters.ts'
import { Unreadable } from './unreadable.ts'

export interface FileContent {
  readonly bytes: Uint8Array
  readonly mime: FileMime
}

/** A file within a file: an attachment, an entry of an archive. */
export interface InnerFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly mime?: string | undefined
}

type ReadInner = (file: InnerFile, scope: ReadingScope) => Promise<ParsedDocument>

interface Budget {
  files: number
  bytes: number
  /** Pages in which text is recognised. */
  scans: number
}

export interface ReadingOptions {
  /** Of texts in pictures, as Tesseract names them. */
  readonly languages: readonly string[]
  /** Says that a page was recognised, which takes seconds: more time is given for the next one. */
  readonly stepDone: () => void
}

/** What the files within a file may cost together, and which of them could not be read. */
export class ReadingScope {
  readonly #read: ReadInner
  readonly #budget: Budget
  readonly #options: ReadingOptions
  readonly #depth: number
  readonly #unread: string[] = []

  constructor(read: ReadInner, options: ReadingOptions, { budget = newBudget(), depth = 0 } = {}) {
    this.#read = read
    this.#options = options
    this.#budget = budget
    this.#depth = depth
  }

  get languages(): readonly string[] {
    return this.#options.languages
  }

  stepDone(): void {
    this.#options.stepDone()
  }

  /** Whether text may be recognised in one more picture; else what is left out is named. */
  mayRecognize(what: string): boolean {
    this.#budget.scans -= 1
    if (this.#budget.scans === -1)
      this.skip(`${what} and what follows`, `it is a scan, of which ${PARSING.maxScans} pages are read; split it`)
    return this.#budget.scans >= 0
  }

  /** Bytes that the files within a file may still have. */
  get bytesLeft(): number {
    return this.#budget.bytes
  }

  /** Adds what the file says below its name. One that cannot be read is named at the end of the document. */
  async add(builder: DocumentBuilder, file: InnerFile, titles: readonly string[] = [file.name]): Promise<void> {
    this.#budget.files -= 1
    this.spend(file.bytes.length)
    if (this.#budget.files < 0) throw new Unreadable(`it holds more than ${PARSING.maxInnerFiles} files; send fewer at a time`)
    if (this.#depth >= PARSING.maxInnerDepth) return this.skip(file.name, 'it is nested too deeply')
    const inner = new ReadingScope(this.#read, this.#options, { budget: this.#budget, depth: this.#depth + 1 })
    try {
      builder.append(await this.#read(file, inner), titles)
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      this.skip(file.name, error.message)
    }
  }

  spend(bytes: number): void {
    this.#budget.bytes -= bytes
    if (this.#budget.bytes < 0) throw tooBig()
  }

  skip(name: string, reason: string): void {
    this.#unread.push(`${name}: ${reason}`)
  }

  /** Says what was left out. Throws when nothing was read. */
  finish(builder: DocumentBuilder): ParsedDocument {
    const unread = this.#unread.slice(0, PARSING.maxNamed)
    const more = this.#unread.length - unread.length
    if (builder.isEmpty && unread.length > 0) throw new Unreadable(`no file in it can be read: ${unread[0]}`)
    if (unread.length > 0) builder.add(['Not read:', ...unread, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'))
    return builder.finish()
  }
}

export const tooBig = () =>
  new Unreadable(`what is in it has more than ${PARSING.maxInnerBytes / 1024 ** 2} MB; send it in several parts`)

const newBudget = (): Budget => ({ files: PARSING.maxInnerFiles, bytes: PARSING.maxInnerBytes, scans: PARSING.maxScans })

// Runs in a child process without network, files or environment: reads files from standard input, one after the other, and writes their
// titles and chunks as lines of JSON.
import { once } from 'node:events'
import type { FileMime } from '@youworker/contracts/file-types'
import type { ChunkSize } from '../chunking/chunk-document.ts'
import { answersFor } from './read-file.ts'

/** One line before the bytes of a file. */
export interface FileHeader {
  readonly mime: FileMime
  /** Bytes that follow the line. */
  readonly size: number
  readonly chunks: ChunkSize
  /** Of texts in pictures, as Tesseract names them. */
  readonly languages: readonly string[]
  /** Only this page, as a picture. */
  readonly page?: number
}

const WRITE_AT = 64 * 1024
const LINE_END = 10

class Input {
  readonly #parts = process.stdin[Symbol.asyncIterator]()
  #rest: Buffer = Buffer.alloc(0)

  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf(LINE_END)
      if (end >= 0) {
        const line = this.#rest.toString('utf8', 0, end)
        this.#rest = this.#rest.subarray(end + 1)
        return line
      }
      const next = await this.#next()
      if (next === undefined) return undefined
      this.#rest = Buffer.concat([this.#rest, next])
    }
  }

  async bytes(size: number): Promise<Uint8Array> {
    // Not from the pool: a parser may keep or transfer what is behind it.
    const bytes = new Uint8Array(size)
    for (let filled = 0; filled < size;) {
      this.#rest = this.#rest.length > 0 ? this.#rest : ((await this.#next()) ?? cutOff())
      const part = this.#rest.subarray(0, size - filled)
      bytes.set(part, filled)
      filled += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
    return bytes
  }

  async #next(): Promise<Buffer | undefined> {
    const { value, done } = await this.#parts.next()
    return done === true ? undefined : value
  }
}

function cutOff(): never {
  throw new Error('the file ended early')
}

async function send(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** Between lines, because a page takes seconds: it must not wait for the text of all pages. */
const stepDone = () => void process.stdout.write('{"step":true}\n')

const input = new Input()
for (let line = await input.line(); line !== undefined; line = await input.line()) {
  // Written by our own service.
  const header = JSON.parse(line) as FileHeader
  let waiting = ''
  for await (const answer of answersFor({ ...header, stepDone }, await input.bytes(header.size))) {
    waiting += `${JSON.stringify(answer)}\n`
    if (waiting.length < WRITE_AT) continue
    await send(waiting)
    waiting = ''
  }
  await send(waiting)
}

/** Bytes that are written at once. */
const PIECE = 16 * 1024
/** In bytes. Of more nothing is kept while the client is waited for, if it can be made again. */
const MOST_LEFT = 128 * 1024
const NONE = Buffer.alloc(0)

/** The same frames once more; `undefined` when they cannot be made any more. */
export type Again = () => Promise<string | Iterable<string> | undefined>

/** What is left to be written to a client that reads slowly: one frame in pieces, each when those before are read, then the next one. */
export class UnwrittenFrames {
  #frames: Iterator<string> | undefined
  readonly #again: Again | undefined
  /** What is left of a frame, and how long it was. */
  #frame: Buffer = NONE
  #size = 0
  #written = 0
  #isForgotten = false

  constructor(frames: string | Iterable<string>, again: Again | undefined) {
    this.#frames = iteratorOf(frames)
    this.#again = again
  }

  /** Bytes that are kept, as far as they are known. */
  get held(): number {
    return this.#frame.length + (this.#frames === undefined ? 0 : this.#size)
  }

  get isForgotten(): boolean {
    return this.#isForgotten
  }

  /** The next piece, which keeps nothing else in memory, and whether its frame ends with it. `undefined` at the end. */
  next(): { readonly piece: Buffer; readonly isEnd: boolean } | undefined {
    while (this.#frame.length === 0) if (!this.#nextFrame()) return undefined
    const piece = Buffer.from(this.#frame.subarray(0, PIECE))
    this.#frame = this.#frame.subarray(piece.length)
    this.#written += piece.length
    return { piece, isEnd: this.#frame.length === 0 }
  }

  /** Before the client is waited for. */
  forget(): void {
    if (!this.#again || this.held <= MOST_LEFT) return
    this.#isForgotten = true
    this.#frames = undefined
    this.#frame = NONE
  }

  /** Afterwards. False when what was forgotten cannot be had again. */
  async remember(): Promise<boolean> {
    const frames = await this.#again?.().catch(() => undefined)
    if (frames === undefined) return false
    this.#frames = iteratorOf(frames)
    this.#isForgotten = false
    for (let left = this.#written; left > 0;) {
      if (this.#frame.length === 0 && !this.#nextFrame()) return false
      const skipped = Math.min(left, this.#frame.length)
      this.#frame = this.#frame.subarray(skipped)
      left -= skipped
    }
    return true
  }

  #nextFrame(): boolean {
    const next = this.#frames?.next()
    if (!next || next.done) this.#frames = undefined
    else this.#frame = Buffer.from(next.value)
    this.#size = this.#frame.length
    return this.#frames !== undefined
  }
}

const iteratorOf = (frames: string | Iterable<string>): Iterator<string> =>
  (typeof frames === 'string' ? [frames] : frames)[Symbol.iterator]()

import { ModelError } from '@youworker/runtime/model-error'
import type { ModelRequest } from '../services/models/model-port.ts'

interface WatchOptions {
  /** What is asked and where, for logs and root. */
  readonly where: string
  readonly stallMs: number
}

const WAITING_MS = 10_000
/** Limit of one call of the model, however steadily it writes. */
const CALL_MS = 15 * 60_000

/** Aborts a call of the model that sends nothing for too long, and reports that the run waits for it. */
export class CallWatch {
  readonly signal: AbortSignal
  readonly #stall = new AbortController()
  readonly #whole: NodeJS.Timeout
  readonly #waiting: NodeJS.Timeout
  #silence: NodeJS.Timeout
  #hasAnswered = false

  constructor({ signal, onWaiting }: ModelRequest, { stallMs, where }: WatchOptions) {
    this.signal = AbortSignal.any([signal, this.#stall.signal])
    const stop = (what: string) => () => {
      const failure = this.#hasAnswered ? 'failed' : 'away'
      this.#stall.abort(new ModelError(failure, `The model ${what}.`, new Error(`${where} ${what}`)))
    }
    this.#silence = setTimeout(stop(`said nothing for ${stallMs / 1_000} s`), stallMs)
    this.#whole = setTimeout(stop(`did not come to an end in ${CALL_MS / 60_000} minutes`), CALL_MS)
    this.#waiting = setInterval(onWaiting, WAITING_MS)
  }

  received(): void {
    this.#silence.refresh()
    this.#waiting.refresh()
  }

  /** A part of the answer came. */
  answered(): void {
    this.#hasAnswered = true
  }

  end(): void {
    clearTimeout(this.#silence)
    clearTimeout(this.#whole)
    clearInterval(this.#waiting)
    this.#stall.abort()
  }
}

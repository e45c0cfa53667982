import type { Done } from '@youworker/contracts/agent/run-log'
import type { Fitted } from '../agent/fit-context.ts'
import type { RunLog } from '../runs/run-log.ts'

/** Part of the budget from which on earlier messages are summarised. */
const CROWDED = 0.5

const NOTES = {
  summarised: 'Earlier messages of this conversation are given to the model as a summary.',
  omitted: 'The oldest messages of this conversation are left out: together they are more than the model is given.',
} as const

/** How much of the earlier conversation the model was given in this attempt at a run. Who reads the log is told what it was not given. */
export class ContextUse {
  readonly #log: RunLog
  #last: Fitted | undefined

  constructor(log: RunLog) {
    this.#log = log
  }

  /** Tokens that the newest call of the model could be given; `undefined` before the first call. */
  get budget(): number | undefined {
    return this.#last?.budget
  }

  /** The earlier messages take much of the budget, or more than there is. */
  get isCrowded(): boolean {
    return this.#last !== undefined && (this.#last.omitted > 0 || this.#last.history > this.#last.budget * CROWDED)
  }

  given(fitted: Fitted): Fitted['messages'] {
    this.#last = fitted
    if (fitted.isSummarised) this.#noteOnce('info', NOTES.summarised)
    if (fitted.omitted > 0) this.#noteOnce('info', NOTES.omitted)
    return fitted.messages
  }

  #noteOnce(level: Done['logs'][number]['level'], msg: string): void {
    if (!this.#log.logs.some((line) => line.msg === msg)) this.#log.note(level, msg)
  }
}

import { ENTRIES_PER_ATTEMPT, type Done, type RunEntry, type ToolEvent } from '@youworker/contracts/agent/run-log'

/** Stages of a run that waits for a service that is away. */
export type WaitStage = 'waiting_for_tools' | 'waiting_for_model'

export const entryNumber = (attempt: number, index: number): number => attempt * ENTRIES_PER_ATTEMPT + index
export const attemptOf = (n: number): number => Math.floor(n / ENTRIES_PER_ATTEMPT)

/** What a run's entries amount to, over all attempts. Entries must be added in the order of their numbers. */
export class Transcript {
  #text = ''
  readonly #toolEvents: ToolEvent[] = []
  readonly #logs: Done['logs'] = []
  readonly #lastIndex = new Map<number, number>()
  #heard: string | undefined
  readonly #waitedMs = new Map<string, number>()

  /** The answer so far. */
  get text(): string {
    return this.#text
  }

  get toolEvents(): readonly ToolEvent[] {
    return this.#toolEvents
  }

  get logs(): Readonly<Done['logs']> {
    return this.#logs
  }

  /** What was understood of a spoken question. */
  get heard(): string | undefined {
    return this.#heard
  }

  /** Index of the last entry of an attempt; 0 when it has none. */
  lastIndex(attempt: number): number {
    return this.#lastIndex.get(attempt) ?? 0
  }

  /** How long the run has waited in a stage, as its last `status` entry says. */
  waitedMs(stage: WaitStage): number {
    return this.#waitedMs.get(stage) ?? 0
  }

  add({ n, body }: RunEntry): void {
    this.#lastIndex.set(attemptOf(n), n % ENTRIES_PER_ATTEMPT)
    if (body.event === 'token') this.#text += body.data.text
    else if (body.event === 'rewind') this.#text = this.#text.slice(0, body.data.offset)
    else if (body.event === 'tool') this.#toolEvents.push(body.data)
    else if (body.event === 'status') this.#waitedMs.set(body.data.stage, body.data.waited_ms ?? 0)
    else if (body.event === 'transcript') this.#heard = body.data.text
    else if (body.event === 'log') this.#logs.push(body.data)
  }
}

import {
  ENTRIES_PER_ATTEMPT,
  type Done,
  type RunEntry,
  type RunEntryBody,
  type ToolEvent,
} from '@youworker/contracts/agent/run-log'

/** Stages of a run that waits for a service that is away. */
export type WaitStage = 'waiting_for_tools' | 'waiting_for_model'

export interface AttemptEnd {
  readonly attempt: number
  readonly text_end: number
  readonly isAsking: boolean
  /** What the model thought since it was asked, as far as the run shows it. */
  readonly thought: string
}

export const entryNumber = (attempt: number, index: number): number => attempt * ENTRIES_PER_ATTEMPT + index
export const attemptOf = (n: number): number => Math.floor(n / ENTRIES_PER_ATTEMPT)

/** What a run's entries amount to, over all attempts. Entries must be added in the order of their numbers. */
export class Transcript {
  #text = ''
  readonly #toolEvents: ToolEvent[] = []
  readonly #logs: Done['logs'] = []
  readonly #lastIndex = new Map<number, number>()
  readonly #waitedMs = new Map<string, number>()
  readonly #attempts = new Map<number, AttemptEnd>()
  #isAsking = false
  #thought = ''
  #thoughtLength = 0

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

  /** UTF-16 units of thoughts that the run has shown. */
  get thoughtLength(): number {
    return this.#thoughtLength
  }

  /** Index of the last entry of an attempt; 0 when it has none. */
  lastIndex(attempt: number): number {
    return this.#lastIndex.get(attempt) ?? 0
  }

  /** How long the run has waited in a stage, as its last `status` entry says. */
  waitedMs(stage: WaitStage): number {
    return this.#waitedMs.get(stage) ?? 0
  }

  /** The attempts that wrote, in their order: how long the text was when they ended, and whether they had asked the model by then. */
  get attempts(): readonly AttemptEnd[] {
    return [...this.#attempts.values()]
  }

  add({ n, body }: RunEntry): void {
    this.#lastIndex.set(attemptOf(n), n % ENTRIES_PER_ATTEMPT)
    if (body.event === 'token') this.#text += body.data.text
    else if (body.event === 'thinking') this.#addThought(body.data.text)
    else if (body.event === 'rewind') this.#rewind(body.data.offset)
    else if (body.event === 'tool') this.#addTool(body.data)
    else if (body.event === 'status') this.#addStatus(body.data)
    else if (body.event === 'log') this.#logs.push(body.data)
    const attempt = attemptOf(n)
    this.#attempts.set(attempt, { attempt, text_end: this.#text.length, isAsking: this.#isAsking, thought: this.#thought })
  }

  /** The first entry of a further attempt. */
  #rewind(offset: number): void {
    this.#endAsking()
    this.#text = this.#text.slice(0, offset)
  }

  #endAsking(): void {
    this.#isAsking = false
    this.#thought = ''
  }

  #addThought(text: string): void {
    this.#thought += text
    this.#thoughtLength += text.length
  }

  #addTool(event: ToolEvent): void {
    this.#endAsking()
    this.#toolEvents.push(event)
  }

  #addStatus({ stage, waited_ms = 0 }: Extract<RunEntryBody, { event: 'status' }>['data']): void {
    this.#isAsking = stage === 'thinking' || stage === 'waiting'
    this.#waitedMs.set(stage, waited_ms)
  }
}

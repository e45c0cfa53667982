import {
  ENTRIES_PER_ATTEMPT,
  type Done,
  type RunEntry,
  type RunEntryBody,
  type ToolEvent,
} from '@youworker/contracts/agent/run-log'

/** Stages of a run that waits for a service that is away. */
export type WaitStage = 'waiting_for_tools' | 'waiting_for_model'

/** How far an attempt has come. */
interface Progress {
  readonly attempt: number
  /** Index of its last entry. */
  index: number
  /** Length of the run's text after it. */
  text_end: number
  /** It has asked the model, which has not ended its answer. */
  isAsking: boolean
  /** What the model thought since it was asked, as far as the run shows it. */
  thought: string
}

export const entryNumber = (attempt: number, index: number): number => attempt * ENTRIES_PER_ATTEMPT + index
export const attemptOf = (n: number): number => Math.floor(n / ENTRIES_PER_ATTEMPT)

/** What a run's entries amount to, over all attempts. Entries must be added in the order of their numbers. */
export class Transcript {
  #text = ''
  readonly #toolEvents: ToolEvent[] = []
  readonly #logs: Done['logs'] = []
  #spokenQuestion: string | undefined
  readonly #waitedMs = new Map<string, number>()
  /** Of the attempts that wrote, in their order. */
  readonly #attempts: Progress[] = []
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

  /** What was understood of a spoken question. */
  get spokenQuestion(): string | undefined {
    return this.#spokenQuestion
  }

  /** UTF-16 units of thoughts that the run has shown. */
  get thoughtLength(): number {
    return this.#thoughtLength
  }

  /** Index of the last entry of an attempt; 0 when it has none. */
  lastIndex(attempt: number): number {
    return this.#attempts.find((one) => one.attempt === attempt)?.index ?? 0
  }

  /** How long the run has waited in a stage, as its last `status` entry says. */
  waitedMs(stage: WaitStage): number {
    return this.#waitedMs.get(stage) ?? 0
  }

  /** Of those that wrote, in their order. */
  get attempts(): readonly Readonly<Progress>[] {
    return this.#attempts
  }

  add({ n, body }: RunEntry): void {
    const own = this.#progressOf(attemptOf(n))
    own.index = n % ENTRIES_PER_ATTEMPT
    if (body.event === 'token') this.#text += body.data.text
    else if (body.event === 'thinking') this.#addThought(own, body.data.text)
    else if (body.event === 'rewind') this.#text = this.#text.slice(0, body.data.offset)
    else if (body.event === 'tool') this.#addTool(own, body.data)
    else if (body.event === 'status') this.#addStatus(own, body.data)
    else if (body.event === 'transcript') this.#spokenQuestion = body.data.text
    else if (body.event === 'log') this.#logs.push(body.data)
    own.text_end = this.#text.length
  }

  #progressOf(attempt: number): Progress {
    const newest = this.#attempts.at(-1)
    if (newest?.attempt === attempt) return newest
    const own = { attempt, index: 0, text_end: 0, isAsking: false, thought: '' }
    this.#attempts.push(own)
    return own
  }

  #addThought(own: Progress, text: string): void {
    own.thought += text
    this.#thoughtLength += text.length
  }

  #addTool(own: Progress, event: ToolEvent): void {
    own.isAsking = false
    own.thought = ''
    // What was found is told once.
    this.#toolEvents.push('found' in event ? withoutFound(event) : event)
  }

  #addStatus(own: Progress, { stage, waited_ms = 0 }: Extract<RunEntryBody, { event: 'status' }>['data']): void {
    own.isAsking = stage === 'thinking' || stage === 'waiting'
    this.#waitedMs.set(stage, waited_ms)
  }
}

const withoutFound = ({ found: _found, ...event }: Extract<ToolEvent, { status: 'end' | 'error' }>): ToolEvent => event

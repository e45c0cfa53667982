import type { Done, RunEntry, RunEntryBody, ToolEvent } from '@youworker/contracts/agent/run-log'
import type { EntryRow, RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { LivePublisher } from '../ports.ts'
import { sealContext } from '../sealed-fields.ts'
import type { EntryWriter } from './entry-writer.ts'
import { entryNumber, type Transcript, type WaitStage } from './transcript.ts'

export interface LogOutputs {
  readonly writer: EntryWriter
  readonly live: LivePublisher
}

interface RunLogOptions {
  readonly run: RunRow
  readonly space: SpaceSealer
  readonly attempt: number
  /** Of the stored entries; the log adds its own. */
  readonly transcript: Transcript
  /** Entries are published only once they are stored. */
  readonly isAppendOnly: boolean
}

/** The log of a run, continued by one attempt. */
export class RunLog {
  readonly #run: RunRow
  readonly #space: SpaceSealer
  readonly #attempt: number
  readonly #transcript: Transcript
  readonly #isAppendOnly: boolean
  readonly #outputs: LogOutputs
  /** Text without an entry yet, of the answer or of thoughts. */
  #unwritten = ''
  #isThought = false

  constructor({ run, space, attempt, transcript, isAppendOnly }: RunLogOptions, outputs: LogOutputs) {
    this.#run = run
    this.#space = space
    this.#attempt = attempt
    this.#transcript = transcript
    this.#isAppendOnly = isAppendOnly
    this.#outputs = outputs
  }

  /** The answer so far. */
  get text(): string {
    return this.#isThought ? this.#transcript.text : this.#transcript.text + this.#unwritten
  }

  get toolEvents(): readonly ToolEvent[] {
    return this.#transcript.toolEvents
  }

  get logs(): Readonly<Done['logs']> {
    return this.#transcript.logs
  }

  get spokenQuestion(): string | undefined {
    return this.#transcript.spokenQuestion
  }

  get attempts(): Transcript['attempts'] {
    return this.#transcript.attempts
  }

  /** UTF-16 units of thoughts that the run has shown. */
  get thoughtLength(): number {
    return this.#transcript.thoughtLength + (this.#isThought ? this.#unwritten.length : 0)
  }

  /** How long the run has waited in this stage, over all attempts. */
  waitedMs(stage: WaitStage): number {
    return this.#transcript.waitedMs(stage)
  }

  /** Publishes the entry at once and stores it within milliseconds, or the other way round. Throws when earlier entries could not be stored. */
  emit(body: RunEntryBody): void {
    this.#emitText()
    this.#emit(body)
  }

  /** Continues the answer. What the model sends within one turn of the event loop is one entry. */
  write(text: string): void {
    this.#add(text, false)
  }

  /** The same of what the model thinks. */
  think(text: string): void {
    this.#add(text, true)
  }

  #add(text: string, isThought: boolean): void {
    if (this.#isThought !== isThought) this.#emitText()
    this.#isThought = isThought
    if (this.#unwritten === '')
      setImmediate(() => {
        try {
          this.#emitText()
        } catch {
          // An earlier entry is lost: the next call throws as well.
        }
      })
    this.#unwritten += text
  }

  #emitText(): void {
    const text = this.#unwritten
    this.#unwritten = ''
    if (text !== '') this.#emit({ event: this.#isThought ? 'thinking' : 'token', data: { text } })
  }

  #emit(body: RunEntryBody): void {
    const { entry, row } = this.#seal(body, this.#transcript.lastIndex(this.#attempt) + 1)
    const publish = () => this.publish(entry)
    this.#outputs.writer.append(row, this.#isAppendOnly ? publish : undefined)
    if (!this.#isAppendOnly) publish()
    this.#transcript.add(entry)
  }

  note(level: Done['logs'][number]['level'], msg: string): void {
    this.emit({ event: 'log', data: { level, msg } })
  }

  /**
   * The last entries, for the transaction that ends the run: the end of the text, if any, and `done`. The first entry of a second
   * attempt must be a rewind.
   */
  sealEnd(ending: string, done: Done): { entry: RunEntry; row: EntryRow }[] {
    this.#emitText()
    const last = this.#transcript.lastIndex(this.#attempt)
    const bodies: RunEntryBody[] = []
    if (this.#attempt > 1 && last === 0) bodies.push({ event: 'rewind', data: { offset: this.text.length } })
    if (ending !== '') bodies.push({ event: 'token', data: { text: ending } })
    bodies.push({ event: 'done', data: done })
    return bodies.map((body, offset) => this.#seal(body, last + offset + 1))
  }

  publish(entry: RunEntry): void {
    this.#outputs.live.publish(this.#run.id, entry)
  }

  /** Resolves when every entry emitted so far is stored. */
  async flush(): Promise<void> {
    this.#emitText()
    await this.#outputs.writer.flush({ run_id: this.#run.id, attempt: this.#attempt })
  }

  /** Resolves when `store` has written the entries that are not stored yet, in its transaction. */
  storeWith<T>(store: (entries: readonly EntryRow[]) => Promise<T>): Promise<T> {
    this.#emitText()
    return this.#outputs.writer.storeWith({ run_id: this.#run.id, attempt: this.#attempt }, store)
  }

  close(): void {
    this.#unwritten = ''
    this.#outputs.writer.forget({ run_id: this.#run.id, attempt: this.#attempt })
  }

  #seal(body: RunEntryBody, index: number): { entry: RunEntry; row: EntryRow } {
    const { id: run_id, space_id } = this.#run
    const n = entryNumber(this.#attempt, index)
    const sealed = this.#space.sealText(JSON.stringify(body), sealContext.entry(run_id, n))
    return { entry: { n, body }, row: { run_id, n, attempt: this.#attempt, space_id, body: sealed } }
  }
}

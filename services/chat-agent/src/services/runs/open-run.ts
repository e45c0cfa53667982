import type { Done, RunEntry, RunEntryBody, ToolEvent } from '@youworker/contracts/run-log'
import type { EntryRow, ModelStepRow } from '@youworker/database/owners/chat-agent/tables'
import type { EntryWriter } from './entry-writer.ts'
import type { ModelMessage } from '../models/model-port.ts'
import type { LivePublisher } from './ports.ts'
import type { StoredCall } from './restore-turn.ts'
import type { RunRecord } from './run-record.ts'
import { place } from '../sealed-fields.ts'
import { entryNumber } from './transcript.ts'

interface Outlets {
  readonly writer: EntryWriter
  readonly live: LivePublisher
}

/** A run in the hands of one attempt: its record, which grows, and its log, which it writes. */
export class OpenRun {
  readonly record: RunRecord
  readonly attempt: number
  /** The answer so far. */
  text: string
  readonly tool_events: ToolEvent[]
  readonly logs: Done['logs']
  /** From the user's message on. */
  readonly messages: ModelMessage[]
  /** Text of the answer that the model began and has not ended. */
  partial: string
  readonly open: StoredCall[]
  iterations: number
  toolCalls: number
  tokens_in: number
  tokens_out: number
  ttft_ms: number | null
  model: string
  /** The newest call of the model that ended; the last one of a run is stored with its end. */
  lastStep: ModelStepRow | undefined
  readonly #outlets: Outlets
  #index: number

  constructor(record: RunRecord, attempt: number, outlets: Outlets) {
    this.record = record
    this.attempt = attempt
    this.#outlets = outlets
    const { transcript, run } = record
    this.text = transcript.text
    this.tool_events = [...transcript.tool_events]
    this.logs = [...transcript.logs]
    this.messages = [...record.messages]
    this.partial = record.partial
    this.open = [...record.open]
    this.iterations = record.iterations
    this.toolCalls = record.calls.length
    this.tokens_in = record.tokens_in
    this.tokens_out = record.tokens_out
    this.ttft_ms = run.ttft_ms
    this.model = run.model ?? ''
    this.#index = transcript.lastIndex.get(attempt) ?? 0
  }

  get id(): string {
    return this.record.run.id
  }

  /** Shown at once, stored soon. */
  emit(body: RunEntryBody): void {
    this.#index += 1
    const { entry, row } = this.#seal(body, this.#index)
    this.#outlets.writer.append(row)
    this.show(entry)
    if (body.event === 'token') this.text += body.data.text
    else if (body.event === 'tool') this.tool_events.push(body.data)
    else if (body.event === 'log') this.logs.push(body.data)
  }

  log(level: Done['logs'][number]['level'], msg: string): void {
    this.emit({ event: 'log', data: { level, msg } })
  }

  /** The end of the log, for the transaction that stores it. An attempt without entries first says where the answer goes on. */
  sealLast(done: Done): { entry: RunEntry; row: EntryRow }[] {
    const rewind: RunEntryBody[] =
      this.attempt > 1 && this.#index === 0 ? [{ event: 'rewind', data: { offset: this.text.length } }] : []
    return [...rewind, { event: 'done' as const, data: done }].map((body, offset) => this.#seal(body, this.#index + offset + 1))
  }

  show(entry: RunEntry): void {
    this.#outlets.live.publish(this.id, entry)
  }

  /** Resolves when every entry emitted so far is stored. */
  flush(): Promise<void> {
    return this.#outlets.writer.flush({ run_id: this.id, attempt: this.attempt })
  }

  close(): void {
    this.#outlets.writer.forget({ run_id: this.id, attempt: this.attempt })
  }

  #seal(body: RunEntryBody, index: number): { entry: RunEntry; row: EntryRow } {
    const { run, space } = this.record
    const n = entryNumber(this.attempt, index)
    const sealed = space.sealText(JSON.stringify(body), place.entry(run.id, n))
    return { entry: { n, body }, row: { run_id: run.id, n, attempt: this.attempt, space_id: run.space_id, body: sealed } }
  }
}

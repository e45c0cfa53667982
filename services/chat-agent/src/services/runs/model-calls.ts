import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { NewUnfinishedCall } from '../../repositories/run-repository.ts'
import { sealContext } from '../sealed-fields.ts'
import { type CallRecord, UNKNOWN } from '../steps/call-record.ts'
import { type CallUse, NO_USE } from '../models/call-use.ts'
import type { LoadedRun } from './load-run.ts'

type Usage = Pick<RunRow, 'tokens_in' | 'tokens_out' | 'ttft_ms'>

interface Ending {
  readonly reason: NewUnfinishedCall['reason']
  /** The step that it would have been. */
  readonly iteration: number
  readonly model: string
  /** Length of the run's text by then. */
  readonly text_end: number
  readonly attempt: number
  /** What the model's server said about it. */
  readonly said?: string | undefined
  /** What its user is told. */
  readonly error?: string | undefined
}

/** What the model calls of a run used, over all attempts, and those that did not come to their end. */
export class ModelCalls {
  readonly #loaded: Pick<LoadedRun, 'run' | 'space'>
  readonly #unfinished: Pick<NewUnfinishedCall, 'iteration' | 'reason' | 'text_end' | 'attempt'>[]
  #unstored: NewUnfinishedCall[] = []
  #usage: Usage
  #isEstimated: boolean
  /** Of the call that broke off and is not counted yet. */
  #broken: { readonly use: CallUse; readonly record: CallRecord | undefined } | undefined

  constructor(loaded: LoadedRun) {
    const { run, unfinishedCalls, tokens_in, tokens_out, estimated } = loaded
    this.#loaded = loaded
    this.#unfinished = [...unfinishedCalls]
    this.#usage = { tokens_in, tokens_out, ttft_ms: run.ttft_ms }
    this.#isEstimated = estimated
  }

  get usage(): Usage {
    return this.#usage
  }

  /** Some of the tokens are estimates. */
  get isEstimated(): boolean {
    return this.#isEstimated
  }

  /** A call broke off and is not counted yet. */
  get isBroken(): boolean {
    return this.#broken !== undefined
  }

  /** Unfinished calls that are not stored yet. */
  get unstored(): readonly NewUnfinishedCall[] {
    return this.#unstored
  }

  /** Length of the run's text whose tokens are counted with unfinished calls. */
  get countedText(): number {
    return this.#unfinished.at(-1)?.text_end ?? 0
  }

  /** A call of the step by this attempt is counted already. */
  isCounted(iteration: number, attempt: number): boolean {
    return this.#unfinished.some((call) => call.iteration === iteration && call.attempt === attempt)
  }

  /** How often the call of a step has failed, over all attempts. */
  failures(iteration: number): number {
    return this.#unfinished.filter((call) => call.iteration === iteration && call.reason === 'failed').length
  }

  firstToken(ttft_ms: number): void {
    this.#usage = { ...this.#usage, ttft_ms }
  }

  finished(use: CallUse): void {
    this.#broken = undefined
    this.#add(use)
  }

  /** A call broke off. It is counted by {@link unfinished}, or not at all when it is repeated because the model was away. */
  broke(use: CallUse, record?: CallRecord): void {
    this.#broken = { use, record }
  }

  unfinished({ said, error, ...ending }: Ending): void {
    const { run, space } = this.#loaded
    const { use, record } = this.#broken ?? { use: NO_USE, record: undefined }
    const n = this.#unfinished.length + 1
    const seal = (text: string | undefined, context: ReturnType<typeof sealContext.said>) =>
      text ? space.sealText(text, context) : null
    const { content, ...known } = record ?? { ...UNKNOWN, content: undefined }
    const sealed = {
      said: seal(said, sealContext.said(run.id, n)),
      error: seal(error, sealContext.callError(run.id, n)),
      content: seal(content && JSON.stringify(content), sealContext.unfinishedContent(run.id, n)),
    }
    const row = { run_id: run.id, n, space_id: run.space_id, ...ending, ...use, ...known, ...sealed }
    this.#broken = undefined
    this.#unfinished.push(row)
    this.#unstored.push(row)
    this.#add(use)
  }

  stored(): void {
    this.#unstored = []
  }

  #add({ tokens_in, tokens_out, estimated }: CallUse): void {
    const { tokens_in: before_in, tokens_out: before_out, ttft_ms } = this.#usage
    this.#usage = { tokens_in: before_in + tokens_in, tokens_out: before_out + tokens_out, ttft_ms }
    this.#isEstimated ||= estimated
  }
}

import type { ModelBackend } from '@youworker/contracts/agent/model-backends'
import { isModelAway, isModelDown, ModelError } from '@youworker/runtime/model-error'
import { cleanText } from '@youworker/runtime/text/text'
import { innerMessage } from '@youworker/runtime/text/inner-text'

/** Failures in a row after which a server that answers with errors counts as down. */
const DOWN_AFTER = 3
const MAX_ERROR = 500
const MAX_MODELS = 1_000

/** Whether a model server answers, as this process sees it. */
export class BackendHealth {
  #status: ModelBackend['health']['status'] = 'unknown'
  #since: string | null = null
  #error: string | null = null
  #models: readonly string[] = []
  #failures = 0

  get isDown(): boolean {
    return this.#status === 'down'
  }

  get report(): Omit<ModelBackend['health'], 'running' | 'waiting'> {
    return { status: this.#status, since: this.#since, error: this.#error, models: [...this.#models] }
  }

  succeeded(): void {
    this.#failures = 0
    this.#is('up')
  }

  listed(models: readonly string[]): void {
    this.#models = models.slice(0, MAX_MODELS)
    this.succeeded()
  }

  /** Of a call. A server that refuses one may answer the next. */
  failed(error: unknown): void {
    if (!isModelDown(error)) return
    this.#failures += 1
    this.#note(error)
    if (isModelAway(error) || this.#failures >= DOWN_AFTER) this.#is('down')
  }

  /** Of a check, which every server answers. */
  checkFailed(error: unknown): void {
    this.#note(error)
    this.#is('down')
  }

  #note(error: unknown): void {
    const said = error instanceof ModelError ? error.said : undefined
    const text = said ? `${innerMessage(error)} It said: ${said}` : innerMessage(error)
    this.#error = cleanText(text, { lines: 'join', max: MAX_ERROR, mark: '…' })
  }

  #is(status: 'up' | 'down'): void {
    if (this.#status === status) return
    this.#status = status
    this.#since = new Date().toISOString()
  }
}

import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import { type DataOf, responseFrame } from './response-events.ts'
import {
  begunResponse,
  endedResponse,
  functionCall,
  messageOf,
  type OutputItem,
  type ResponseObject,
  textPart,
} from './response-object.ts'
import type { ResponseRequest } from './response-request.ts'

type EventName = Parameters<typeof responseFrame>[0]

const END_EVENT = {
  completed: 'response.completed',
  failed: 'response.failed',
  incomplete: 'response.incomplete',
  // The protocol has no event of its own for it.
  cancelled: 'response.incomplete',
} as const

/**
 * Writes the entries of a run as the events of one response. They follow from the stored entries and the request alone, so every reader
 * counts them alike: at any gateway, live or later.
 */
export class ResponseWriter {
  readonly #request: ResponseRequest
  readonly #after: number
  #run_id = ''
  #session_id = ''
  #next = 0
  #hasText = false
  #isQueued = false

  /** `after`: number of the last event that the client has. */
  constructor(request: ResponseRequest, after = -1) {
    this.#request = request
    this.#after = after
  }

  /** The frames of an entry, which may be none. */
  framesOf({ body }: RunEntry): string | Iterable<string> {
    switch (body.event) {
      case 'run':
        this.#run_id = body.data.run_id
        this.#session_id = body.data.session_id
        return this.#begin()
      case 'token':
        return this.#start() + this.#addText(body.data.text)
      case 'status':
        return body.data.stage === 'queued' ? '' : this.#start()
      case 'done':
        return this.#end(body.data)
      // Entries come only once they are stored, and no attempt takes back what is stored.
      case 'thinking':
      case 'rewind':
      case 'log':
      case 'tool':
      case 'transcript':
        return this.#start()
    }
  }

  get #of() {
    return { run_id: this.#run_id, session_id: this.#session_id, request: this.#request }
  }

  /** Only who does not wait is told that it is queued. */
  #begin(): string {
    this.#isQueued = this.#request.background ?? false
    const response = begunResponse(this.#of, this.#isQueued ? 'queued' : 'in_progress')
    return (
      this.#frame('response.created', { response }) +
      this.#frame(`response.${this.#isQueued ? 'queued' : 'in_progress'}`, { response })
    )
  }

  #start(): string {
    if (!this.#isQueued) return ''
    this.#isQueued = false
    return this.#frame('response.in_progress', { response: begunResponse(this.#of, 'in_progress') })
  }

  #addText(text: string): string {
    const opening = this.#hasText ? '' : this.#openMessage()
    this.#hasText = true
    return opening + this.#frame('response.output_text.delta', { ...this.#inText, delta: text, logprobs: [] })
  }

  get #inText() {
    return { item_id: messageOf(this.#run_id, 'in_progress', []).id, output_index: 0, content_index: 0 }
  }

  #openMessage(): string {
    const item = messageOf(this.#run_id, 'in_progress', [])
    return (
      this.#frame('response.output_item.added', { output_index: 0, item }) +
      this.#frame('response.content_part.added', { ...this.#inText, part: textPart('') })
    )
  }

  /** Each of these frames may repeat the whole text: they are made when they are written. */
  *#end(done: Done): Generator<string> {
    yield this.#start()
    const response = endedResponse(done, this.#of)
    for (const [output_index, item] of response.output.entries()) {
      if (item.type === 'message') yield* this.#endMessage(item)
      else yield this.#endCall(item, output_index)
      yield this.#frame('response.output_item.done', { output_index, item })
    }
    yield this.#frame(endEventOf(response), { response })
  }

  *#endMessage({ content }: Extract<OutputItem, { type: 'message' }>): Generator<string> {
    const inText = this.#inText
    for (const part of content) {
      for (const [annotation_index, annotation] of part.annotations.entries())
        yield this.#frame('response.output_text.annotation.added', { ...inText, annotation_index, annotation })
      yield this.#frame('response.output_text.done', { ...inText, text: part.text, logprobs: [] })
      yield this.#frame('response.content_part.done', { ...inText, part })
    }
  }

  #endCall(call: Extract<OutputItem, { type: 'function_call' }>, output_index: number): string {
    const { id: item_id, name, arguments: args } = call
    const item = functionCall(this.#run_id, output_index, { ...call, arguments: '', status: 'in_progress' })
    return (
      this.#frame('response.output_item.added', { output_index, item }) +
      this.#frame('response.function_call_arguments.delta', { item_id, output_index, delta: args }) +
      this.#frame('response.function_call_arguments.done', { item_id, output_index, name, arguments: args })
    )
  }

  #frame<T extends EventName>(type: T, data: DataOf<T>): string {
    const number = this.#next++
    return number > this.#after ? responseFrame(type, number, data) : ''
  }
}

function endEventOf({ status }: ResponseObject) {
  return status === 'queued' || status === 'in_progress' ? END_EVENT.completed : END_EVENT[status]
}

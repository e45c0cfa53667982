import type { Done, RunEntry, RunEntryBody, ToolEvent } from '@youworker/contracts/agent/run-log'
import { AnswerParts } from '@youworker/contracts/agent/file-search'
import { type FileSearchCall, fileSearchOf } from './file-search-items.ts'
import { type DataOf, responseFrame } from './response-events.ts'
import {
  begunResponse,
  endedResponse,
  functionCall,
  type ItemStatus,
  messageOf,
  type OutputItem,
  reasoningOf,
  type ResponseObject,
  summaryText,
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
  readonly #parts = new AnswerParts()
  /** Items that have begun. */
  #items = 0
  /** Of the message and of the thought that goes on, among the items. */
  #message: number | undefined
  #reasoning: number | undefined
  /** Of the searches, among the items, by their number. */
  readonly #searches: number[] = []
  #isQueued = false
  /** Where the end began. */
  #atEnd: { readonly next: number; readonly reasoning: number | undefined; readonly isQueued: boolean } | undefined

  /** `after`: number of the last event that the client has. */
  constructor(request: ResponseRequest, after = -1) {
    this.#request = request
    this.#after = after
  }

  /** The frames of an entry, which may be none. */
  framesOf({ body }: RunEntry): string | Iterable<string> {
    const thought = this.#reasoning === undefined ? undefined : this.#parts.thoughts.at(-1)
    this.#parts.add(body)
    const ended = thought?.ended ? this.#endThought('completed') : ''
    const frames = this.#framesOf(body)
    return typeof frames === 'string' ? ended + frames : frames
  }

  #framesOf(body: RunEntryBody): string | Iterable<string> {
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
      case 'thinking':
        return this.#start() + this.#addThought(body.data.text)
      // Entries come only once they are stored, and no attempt takes back what is stored.
      case 'tool':
        return this.#start() + this.#addSearch(body.data)
      case 'rewind':
      case 'log':
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
    const opening = this.#message === undefined ? this.#openMessage() : ''
    return opening + this.#frame('response.output_text.delta', { ...this.#inText, delta: text, logprobs: [] })
  }

  get #inText() {
    return { item_id: messageOf(this.#run_id, 'in_progress', []).id, output_index: this.#message ?? 0, content_index: 0 }
  }

  #openMessage(): string {
    const item = messageOf(this.#run_id, 'in_progress', [])
    const output_index = (this.#message = this.#items++)
    return (
      this.#frame('response.output_item.added', { output_index, item }) +
      this.#frame('response.content_part.added', { ...this.#inText, part: textPart('') })
    )
  }

  #addThought(delta: string): string {
    const opening = this.#reasoning === undefined ? this.#openThought() : ''
    return opening + this.#frame('response.reasoning_summary_text.delta', { ...this.#inThought, delta })
  }

  get #inThought() {
    return { item_id: this.#thought('in_progress').id, output_index: this.#reasoning ?? 0, summary_index: 0 }
  }

  /** The newest one. */
  #thought(status: ItemStatus, summary: Parameters<typeof reasoningOf>[3] = []) {
    return reasoningOf(this.#run_id, this.#parts.thoughts.length - 1, status, summary)
  }

  #openThought(): string {
    const output_index = (this.#reasoning = this.#items++)
    return (
      this.#frame('response.output_item.added', { output_index, item: this.#thought('in_progress') }) +
      this.#frame('response.reasoning_summary_part.added', { ...this.#inThought, part: summaryText('') })
    )
  }

  #endThought(status: ItemStatus): string {
    const { output_index, ...of } = this.#inThought
    const part = summaryText(this.#parts.thoughts.at(-1)?.text ?? '')
    this.#reasoning = undefined
    return (
      this.#frame('response.reasoning_summary_text.done', { ...of, output_index, text: part.text }) +
      this.#frame('response.reasoning_summary_part.done', { ...of, output_index, part }) +
      this.#frame('response.output_item.done', { output_index, item: this.#thought(status, [part]) })
    )
  }

  /** Only of a search in the files that the request named. */
  #addSearch({ run_id, status }: ToolEvent): string {
    const n = this.#parts.numberOf(run_id)
    const search = n === undefined ? undefined : this.#parts.searches[n]
    if (n === undefined || !search) return ''
    const output_index = (this.#searches[n] ??= this.#items++)
    const itemOf = (now: FileSearchCall['status']) => fileSearchOf(this.#run_id, n, search, now)
    const inItem = { item_id: itemOf('searching').id, output_index }
    if (status === 'start')
      return (
        this.#frame('response.output_item.added', { output_index, item: itemOf('in_progress') }) +
        this.#frame('response.file_search_call.in_progress', inItem) +
        this.#frame('response.file_search_call.searching', inItem)
      )
    const isDone = status === 'end'
    const completed = isDone ? this.#frame('response.file_search_call.completed', inItem) : ''
    return completed + this.#frame('response.output_item.done', { output_index, item: itemOf(isDone ? 'completed' : 'failed') })
  }

  /** Each of these frames may repeat the whole text: they are made when they are written, and all of them again on demand. */
  *#end(done: Done): Generator<string> {
    this.#atEnd ??= { next: this.#next, reasoning: this.#reasoning, isQueued: this.#isQueued }
    this.#next = this.#atEnd.next
    this.#reasoning = this.#atEnd.reasoning
    this.#isQueued = this.#atEnd.isQueued
    yield this.#start()
    const response = endedResponse({ ...done, thoughts: this.#parts.thoughts, searches: this.#parts.searches }, this.#of)
    for (const [output_index, item] of response.output.entries()) {
      if (item.type === 'reasoning') yield output_index === this.#reasoning ? this.#endThought(item.status) : ''
      else if (item.type === 'file_search_call')
        yield item.status === 'incomplete' ? this.#frame('response.output_item.done', { output_index, item }) : ''
      else {
        if (item.type === 'message') yield* this.#endMessage(item)
        else yield this.#endCall(item, output_index)
        yield this.#frame('response.output_item.done', { output_index, item })
      }
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

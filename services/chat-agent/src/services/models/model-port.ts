import type { Model, ModelParameters } from '@youworker/contracts/agent/model'

export interface ModelToolCall {
  readonly name: string
  readonly arguments: Record<string, unknown>
}

export type ModelMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  /** As the last message: an answer that was begun and that the model must continue. */
  | { readonly role: 'assistant'; readonly content: string; readonly tool_calls?: readonly ModelToolCall[] | undefined }
  | { readonly role: 'tool'; readonly content: string; readonly tool_name: string }

export interface ModelTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Record<string, unknown>
}

export interface ModelChunk {
  readonly text: string
  /** What the model thinks before it answers: counted, never shown. */
  readonly thinking: string
  readonly tool_calls: readonly ModelToolCall[]
  /** With the last chunk only: why it ended, when the server said so. */
  readonly finish?: 'stop' | 'length' | undefined
  /** With the last chunk only: what the server counted. */
  readonly usage?: { readonly tokens_in: number | undefined; readonly tokens_out: number | undefined }
}

export interface ModelInfo {
  readonly name: string
  readonly tools: boolean
  /** Most tokens of conversation and answer together. */
  readonly context: number
  /** What the model server wants everybody to know who gets an answer of this model. */
  readonly notice?: string | undefined
}

export interface ModelRequest {
  readonly model: ModelInfo
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly ModelTool[]
  readonly parameters: ModelParameters
  readonly signal: AbortSignal
  /** Called every few seconds while the model sends nothing. */
  readonly onWaiting: () => void
}

/** The model. Throws ModelError, or the reason of a signal that aborts. */
export interface ModelPort {
  /** The named model, or the default one. */
  describe(name: string | null, signal: AbortSignal): Promise<ModelInfo>
  chat(request: ModelRequest): AsyncIterable<ModelChunk>
  /** Those that can chat. */
  list(signal: AbortSignal): Promise<Model[]>
}

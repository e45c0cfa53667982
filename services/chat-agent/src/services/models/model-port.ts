export interface ModelToolCall {
  readonly name: string
  readonly arguments: Record<string, unknown>
}

export type ModelMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  /** At the end of a conversation: an answer that was begun and is to be gone on with. */
  | { readonly role: 'assistant'; readonly content: string; readonly tool_calls?: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly content: string; readonly tool_name: string }

export interface ModelTool {
  readonly name: string
  readonly description: string
  /** JSON Schema of the arguments. */
  readonly parameters: Record<string, unknown>
}

export interface ModelChunk {
  readonly text: string
  readonly tool_calls: readonly ModelToolCall[]
  /** With the last chunk only. */
  readonly usage?: { readonly tokens_in: number; readonly tokens_out: number }
}

export interface ModelInfo {
  readonly name: string
  readonly tools: boolean
  /** Tokens of question and answer together. */
  readonly context: number
}

export interface ModelRequest {
  readonly model: ModelInfo
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly ModelTool[]
  readonly signal: AbortSignal
  /** Called again and again while the model says nothing. */
  readonly onWaiting: () => void
}

/** The model. Its failures are `LLM_ERROR`, or `VALIDATION_ERROR` when asking again cannot help (no such model). */
export interface ModelPort {
  /** The named model, or the default one. */
  describe(name: string | null): Promise<ModelInfo>
  chat(request: ModelRequest): AsyncIterable<ModelChunk>
}

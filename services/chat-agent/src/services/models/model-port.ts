import type { Image, Model, ModelParameters } from '@youworker/contracts/agent/model'

export interface ModelToolCall {
  readonly name: string
  readonly arguments: Record<string, unknown>
}

export type ModelMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string; readonly images?: readonly Image[] | undefined }
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
  /** What the model thinks before it answers: counted, and shown only to who asks for it. */
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
  /** Whether it sees images; `undefined` when nobody knows. */
  readonly vision?: boolean | undefined
  /** Most tokens of conversation and answer together. */
  readonly context: number
  /** What `think` of Ollama may be; empty when it does not think, `undefined` when nobody knows. */
  readonly thinking?: readonly (boolean | string)[] | undefined
  /** Most calls that its server answers at the same time, when it says so. */
  readonly parallel?: number | undefined
  /** What the model server wants everybody to know who gets an answer of this model. */
  readonly notice?: string | undefined
  /** Changes with what stands behind its name, where its server tells. */
  readonly version?: string | undefined
}

/** What is known of a model, and where it is. */
export interface KnownModel extends Omit<ModelInfo, 'notice' | 'parallel'> {
  /** Its servers, each with the version of the model there. */
  readonly servers: readonly string[]
}

/** One call of a model at one server. */
export interface ModelRequest {
  readonly model: ModelInfo
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly ModelTool[]
  readonly parameters: ModelParameters
  readonly signal: AbortSignal
  /** Called every few seconds while the model sends nothing. */
  readonly onWaiting: () => void
  /** Called once when the call has ended, however. */
  readonly onEnd?: (() => void) | undefined
}

/** One call of a model, wherever it is. */
export interface ModelCall extends Omit<ModelRequest, 'onEnd'> {
  /** The calls of users take turns. */
  readonly user: string
  /** It goes behind all calls for which somebody waits. */
  readonly isBackground?: boolean | undefined
  /** While the call waits for its turn: how many go first, when that changes; `undefined` when the turn has come. */
  readonly onQueued: (position: number | undefined) => void
  /** Called with the name of each server that is asked. */
  readonly onAsked?: ((backend: string) => void) | undefined
}

/** The models of all servers. Throws ModelError, or the reason of a signal that aborts. */
export interface ModelPort {
  /** The named model, or the default one. */
  describe(name: string | null, signal: AbortSignal): Promise<ModelInfo>
  /** The same as far as it is known without asking, also of servers that are away. */
  known(name: string | null): KnownModel | undefined
  chat(call: ModelCall): AsyncIterable<ModelChunk>
  /** Those that can chat. */
  list(signal: AbortSignal): Promise<Model[]>
}

export interface PullProgress {
  /** What the server says that it does. */
  readonly stage: string
  /** Bytes of all parts that are known. */
  readonly completed: number
  readonly total: number
}

/** One model server. Throws ModelError, or the reason of a signal that aborts. */
export interface ModelServerPort {
  describe(name: string, signal: AbortSignal): Promise<ModelInfo>
  /** Name of the first model that can chat. */
  defaultModel(signal: AbortSignal): Promise<string>
  chat(request: ModelRequest): AsyncGenerator<ModelChunk>
  /** Those that can chat. */
  list(signal: AbortSignal): Promise<Model[]>
  /** Resolves when the server answers, with the names of all its models. */
  check(): Promise<readonly string[]>
  /** Gets a model from where the server knows to find it. Missing where the protocol has no such request. */
  pull?(model: string, signal: AbortSignal): AsyncGenerator<PullProgress>
  /** It is no longer used. What it answers still comes to its end. */
  close(): void
}

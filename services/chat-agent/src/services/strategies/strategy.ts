import type { ModelCall, ModelChunk, ModelTool, ModelToolCall } from '../models/model-port.ts'

/** How a model comes to use tools. The agent asks it in messages and reads chunks that are the same for all. */
export interface Strategy {
  /** Whether the model is offered tools to choose from. */
  readonly offersTools: boolean
  /** Part of the system prompt. Of a plain model: only what it cannot do without. */
  prompt(tools: readonly ModelTool[], plain: boolean): string
  /** Calls that are made before the model is asked at all. `has`: whether the run has a tool. */
  opening(question: string, has: (tool: string) => boolean): readonly ModelToolCall[]
  /** As the model server is asked. */
  asked(call: ModelCall): ModelCall
  /** What the model server answered. */
  read(chunks: AsyncIterable<ModelChunk>): AsyncIterable<ModelChunk>
}

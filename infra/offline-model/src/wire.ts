import { z } from 'zod'

// The chat, embed, tags, show and version parts of Ollama's wire protocol (docs/api.md of ollama/ollama).
// Fields without effect on this model (most options, keep_alive, think, format, images) are accepted and dropped.

export const MODEL = 'youworker-offline'
export const VERSION = '0.12.0'

const ToolCall = z.object({
  id: z.string().optional(),
  function: z.object({ name: z.string().max(256), arguments: z.record(z.string(), z.unknown()).default({}) }),
})
export type ToolCall = z.infer<typeof ToolCall>

const Message = z.object({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z
    .string()
    .nullish()
    .transform((content) => content ?? ''),
  tool_name: z.string().optional(),
  tool_calls: z.array(ToolCall).max(128).nullish(),
})
export type Message = z.infer<typeof Message>

const Tool = z.object({ function: z.object({ name: z.string().max(256) }) })

const Options = z.object({
  /** Highest count of answer tokens. 0 or less: no limit. */
  num_predict: z.number().int().optional(),
})

export const ChatRequest = z.object({
  model: z.string().max(256),
  messages: z.array(Message).max(5_000).default([]),
  tools: z.array(Tool).max(1_000).nullish(),
  stream: z.boolean().default(true),
  options: Options.nullish(),
})
export type ChatRequest = z.infer<typeof ChatRequest>

export const EmbedRequest = z.object({
  model: z.string().max(256),
  input: z
    .union([z.string(), z.array(z.string()).max(2_048)])
    .default([])
    .transform((input) => (typeof input === 'string' ? [input] : input)),
})

export const ShowRequest = z.object({ model: z.string().max(256).optional(), name: z.string().max(256).optional() })

const DETAILS = {
  parent_model: '',
  format: 'none',
  family: MODEL,
  families: [MODEL],
  parameter_size: '0',
  quantization_level: 'none',
} as const

const MODIFIED_AT = '2025-01-01T00:00:00Z'

export const TAGS = {
  models: [{ name: MODEL, model: MODEL, modified_at: MODIFIED_AT, size: 0, digest: '0'.repeat(64), details: DETAILS }],
} as const

/** Ollama lets a model carry fields of its own; chat-agent writes this one into the log of each run. */
const NOTICE =
  'The offline model only quotes sentences that it finds. For a real one install Ollama (https://ollama.com) and set LLM__OLLAMA_BASE_URL and LLM__CHAT_MODEL.'

/** Another one: it answers so many at the same time. */
const PARALLEL = 10_000

const CAPABILITIES = ['completion', 'tools', 'embedding'] as const

/** In Ollama a name without a tag means `:latest`. */
export const isOurs = (model: string): boolean => model === MODEL || model === `${MODEL}:latest`

export const showModel = (embeddingLength: number) => ({
  modelfile: `# ${MODEL}: finds and quotes sentences; there is no neural network in it`,
  parameters: '',
  template: '',
  license: 'Apache-2.0',
  details: DETAILS,
  model_info: {
    'general.architecture': MODEL,
    'general.parameter_count': 0,
    [`${MODEL}.context_length`]: 131_072,
    [`${MODEL}.embedding_length`]: embeddingLength,
    'youworker.notice': NOTICE,
    'youworker.parallel': PARALLEL,
  },
  capabilities: CAPABILITIES,
  modified_at: MODIFIED_AT,
})

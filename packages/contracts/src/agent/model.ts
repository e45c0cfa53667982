import { z } from 'zod'
import { Line, Time } from '../common.ts'
import { LIMITS } from '../limits.ts'

const Count = z.number().int().min(0)
const MAX_FORMAT = 64 * 1024

/** Of a duration as Ollama has it, in s; `undefined` when it is none. */
function secondsOf(duration: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})(s|m|h)$/.exec(duration) ?? []
  return count === undefined ? undefined : Number(count) * (unit === 'h' ? 3_600 : unit === 'm' ? 60 : 1)
}

/** Nobody keeps a model in the memory of all for longer. In s. */
const MAX_KEPT = 24 * 3_600

/** How the model writes. What is left out is the model's own choice. */
export const ModelParameters = z
  .object({
    temperature: z.number().min(0).max(2),
    top_p: z.number().min(0).max(1),
    seed: z.number().int().min(-2_147_483_648).max(2_147_483_647),
    max_tokens: z.number().int().min(1).max(1_000_000),
    /** The answer ends before any of them. */
    stop: z.array(z.string().min(1).max(200)).max(4),
    /** `json`, or the JSON Schema of the answer. */
    format: z.union([
      z.literal('json'),
      z
        .record(z.string(), z.unknown())
        .refine((schema) => JSON.stringify(schema).length <= MAX_FORMAT, `must be at most ${MAX_FORMAT} characters`),
    ]),
    think: z
      .enum(['off', 'low', 'medium', 'high'])
      .meta({ description: 'How much the model thinks before it answers, as far as it lets that be chosen.' }),
    num_ctx: z.number().int().min(512).max(1_000_000).meta({
      description: 'Most tokens of conversation and answer together; what the installation or the model allows at most wins.',
    }),
    keep_alive: z
      .union([
        z.number().int().min(0).max(MAX_KEPT),
        z.string().refine((duration) => (secondsOf(duration) ?? Infinity) <= MAX_KEPT, 'must be like 30s, 5m or 2h, at most 24h'),
      ])
      .meta({ description: 'How long Ollama keeps the model in memory after the answer: in seconds, or as 5m.' }),
  })
  .partial()
  .meta({ id: 'ModelParameters' })
export type ModelParameters = z.infer<typeof ModelParameters>

const Arguments = z.record(z.string(), z.unknown())
const MAX_TOOL_NAME = 128

/** What a model may be shown, by its content. */
export const Image = z.object({
  mime: z.enum(['image/png', 'image/jpeg', 'image/webp', 'image/gif']),
  /** Base64. Empty where a conversation is told: images go to models only. */
  data: z.string().max(LIMITS.wireWithImages),
})
export type Image = z.infer<typeof Image>
export const Images = z.array(Image).max(LIMITS.images)

const CallId = z.string().min(1).max(200)

/** A message as a model has it, for clients that send the whole conversation each time. `system` adds to the system prompt. */
export const ConversationMessage = z.discriminatedUnion('role', [
  z.object({ role: z.literal('system'), content: z.string() }),
  z.object({ role: z.literal('user'), content: z.string(), images: Images.optional() }),
  z.object({
    role: z.literal('assistant'),
    content: z.string(),
    tool_calls: z
      .array(z.object({ id: CallId.optional(), name: Line(MAX_TOOL_NAME), arguments: Arguments }))
      .max(64)
      .optional(),
  }),
  /** Without `tool_name` the call with the id `call_id` stands before it. */
  z.object({
    role: z.literal('tool'),
    content: z.string(),
    tool_name: Line(MAX_TOOL_NAME).optional(),
    call_id: CallId.optional(),
  }),
])
export type ConversationMessage = z.infer<typeof ConversationMessage>

/** A tool that the client runs: a call of it ends the run, and the client asks again with the result. */
export const ClientTool = z.object({
  name: Line(64),
  description: z
    .string()
    .max(64 * 1024)
    .default(''),
  /** JSON Schema. */
  parameters: Arguments.default({ type: 'object', properties: {} }),
})
export type ClientTool = z.infer<typeof ClientTool>

/** Beside the question, of clients that send everything each time. */
export const WholeConversation = {
  conversation: z.array(ConversationMessage).max(1_000).optional(),
  client_tools: z.array(ClientTool).max(128).optional(),
}

/** A chat model that the model server has. */
export const Model = z.object({
  id: z.string(),
  created_at: Time,
  size: Count.meta({ description: 'In bytes.' }),
  /** What the model server says it can do, as `tools` or `vision`. */
  capabilities: z.array(z.string()),
  /** In memory, so that its next answer begins at once. */
  loaded: z.boolean(),
})
export type Model = z.infer<typeof Model>

/** Vectors of texts, in their order, by the model of the search index: little-endian float32 in base64. */
export const Embedding = {
  input: z.object({ texts: z.array(z.string().min(1).max(LIMITS.message)).min(1).max(LIMITS.embeddedTexts) }),
  output: z.object({ model: z.string(), vectors: z.array(z.base64()) }),
}

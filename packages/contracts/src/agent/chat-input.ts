import { z } from 'zod'
import { Id, Line } from '../common.ts'
import { LIMITS } from '../limits.ts'
import { ModelParameters } from './model.ts'

const utf8 = new TextEncoder()

/** Text of one message. The gateway refuses a longer one with 413 and does not send it on. */
export const MessageText = z
  .string()
  .min(1)
  .refine((text) => text.trim() !== '', 'must not be blank')
  .refine((text) => utf8.encode(text).length <= LIMITS.message, `must be at most ${LIMITS.message} bytes`)

/** The `id` or the `external_id` of a session. */
export const SessionRef = z.string().min(1).max(128)

/** The group of a session. */
export const SessionGroup = Id.meta({
  description: 'A group of yours, whose instructions the answers of the session follow as long as you are in it.',
})

/** BCP 47, without extensions. */
function isLanguage(tag: string): boolean {
  try {
    return /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(tag) && Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}

export const Strategy = z.enum(['tools', 'react', 'rag']).meta({
  description:
    'How the model uses tools. `tools`: it calls them itself. `react`: it writes its calls as text. `rag`: the documents are searched for the question, then the model is asked once. Without it `tools` for models that can, and `react` for others.',
})
export type Strategy = z.infer<typeof Strategy>

export const ChatInput = z
  .object({
    messages: z
      .array(z.object({ role: z.enum(['user', 'assistant', 'system']), content: z.string().max(LIMITS.message) }))
      .min(1)
      .max(200)
      .optional(),
    text_input: MessageText.optional(),
    session_id: SessionRef.nullish(),
    group_id: SessionGroup.nullish(),
    enable_tools: z.boolean().default(true),
    model: Line(128).nullish(),
    disable_web: z.boolean().default(false),
    expect_audio: z.boolean().default(false),
    max_iterations: z.number().int().min(1).max(50).nullish(),
    /** Added to the system prompt, for this answer only. */
    instructions: MessageText.nullish(),
    language: z
      .string()
      .max(35)
      .refine(isLanguage, 'must be a language tag like de or pt-BR')
      .nullish()
      .meta({ description: 'Of the answer, as a tag like `de` or `pt-BR`; without it that of the question.' }),
    parameters: ModelParameters.nullish(),
    cache: z.boolean().nullish().meta({
      description:
        'Take the answer that the caller got to the same conversation a few minutes ago, if nothing that it was made from has changed, and keep this one. Off by default.',
    }),
    strategy: Strategy.nullish(),
    show_thinking: z.boolean().nullish().meta({ description: 'Show what the model thinks before it answers, where it tells.' }),
  })
  .meta({ id: 'ChatInput' })
export type ChatInput = z.infer<typeof ChatInput>

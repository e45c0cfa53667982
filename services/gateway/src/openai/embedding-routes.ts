import { Line } from '@youworker/contracts/common'
import { LIMITS } from '@youworker/contracts/limits'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import { AGENT_MODEL } from '../protocols/agent-model.ts'
import { refusal } from '../protocols/run-input.ts'

/** Bytes of one request to the service. */
const BATCH_BYTES = LIMITS.wire / 2
const MOST_TEXTS = 256
const Text = z.string().min(1).max(LIMITS.message)

const EmbeddingBody = z
  .object({
    model: Line(128),
    input: z.union([Text, z.array(Text).min(1).max(MOST_TEXTS)]),
    encoding_format: z.enum(['float', 'base64']).nullish(),
    dimensions: z.number().int().nullish(),
  })
  .meta({ id: 'EmbeddingBody' })

const Count = z.number().int().min(0)
const Embeddings = z
  .object({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: Count,
        embedding: z.union([z.array(z.number()), z.string().meta({ description: 'Base64 of little-endian float32.' })]),
      }),
    ),
    usage: z.object({ prompt_tokens: Count, total_tokens: Count }).meta({ description: 'Estimated.' }),
  })
  .meta({ id: 'Embeddings' })

type Deps = Pick<Clients, 'ingestion'>

export const embeddingRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/embeddings',
    operation: 'createEmbeddings',
    summary: "OpenAI's embeddings, by the model that searches documents; `youworker` names it, too",
    tag: 'openai',
    auth: 'required',
    scopes: ['chat', 'documents', 'documents:read'],
    limit: 'chat',
    csrf: 'required',
    body: EmbeddingBody,
    answer: Embeddings,
    errors: ['LLM_ERROR'],
    async handle({ body, context }, { ingestion }: Deps) {
      if (body.dimensions != null)
        throw refusal('dimensions', 'The model decides how many numbers a vector has: leave out dimensions')
      const texts = [body.input].flat()
      const vectors: string[] = []
      let model = ''
      for (const batch of batchesOf(texts)) {
        const answer = await ingestion.as(context.scope).embedTexts({ texts: batch })
        model = answer.model
        if (![model, AGENT_MODEL].includes(body.model)) throw refusal('model', `Only the model ${model} makes vectors here`)
        vectors.push(...answer.vectors)
      }
      const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
      const data = vectors.map((vector, index) => ({
        object: 'embedding' as const,
        index,
        embedding: body.encoding_format === 'base64' ? vector : numbersOf(vector),
      }))
      return { object: 'list' as const, model, data, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    },
  }),
]

function batchesOf(texts: readonly string[]): string[][] {
  const batches: string[][] = []
  let bytes = Infinity
  for (const text of texts) {
    const size = Buffer.byteLength(text)
    const last = batches.at(-1)
    if (last && last.length < LIMITS.embeddedTexts && bytes + size <= BATCH_BYTES) last.push(text)
    else batches.push([text])
    bytes = batches.at(-1) === last ? bytes + size : size
  }
  return batches
}

const numbersOf = (base64: string): number[] => {
  const bytes = Buffer.from(base64, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, n) => bytes.readFloatLE(4 * n))
}

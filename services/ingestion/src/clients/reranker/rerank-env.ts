import { BackendKey, plainUrl } from '@youworker/contracts/agent/model-backends'
import { httpUrl, integer } from '@youworker/runtime/process/config'
import { z } from 'zod'
import type { Reranker } from '../../services/search/rerank/reranker.ts'
import { createHttpReranker } from './http-reranker.ts'
import { RERANK_KINDS } from './rerank-protocols.ts'

const isPlain = ({ username, password, search, hash }: URL): boolean => username + password + search + hash === ''

export const rerankEnv = {
  LLM__RERANK_KIND: z
    .enum(['off', ...RERANK_KINDS])
    .default('off')
    .describe(
      'A model that puts the best hits of a search into order: rerank (Cohere, Jina, vLLM, llama.cpp, LocalAI, Infinity), tei (text-embeddings-inference), chat (a chat model of Ollama) or off',
    ),
  LLM__RERANK_BASE_URL: httpUrl
    .refine(
      (url) => !URL.canParse(url) || isPlain(new URL(url)),
      'must have no user, password, query or fragment: a key goes into LLM__RERANK_API_KEY',
    )
    .optional()
    .describe(
      'Its address: of rerank with its version, as http://host:8000/v1; of tei as http://host:8080; of chat that of Ollama, which is the default there',
    ),
  LLM__RERANK_MODEL: z.string().min(1).optional().describe('Its model; servers that have only one need no name'),
  LLM__RERANK_API_KEY: BackendKey.optional().meta({ description: 'Key of that server', secret: true }),
  LLM__RERANK_TIMEOUT_MS: integer(50, 60_000).default(1_500).meta({
    description: 'How long it may take for one search; after that the hits are answered in the order of before',
    unit: 'ms',
  }),
  LLM__RERANK_CANDIDATES: integer(2, 200).default(32).describe('So many of the best hits are put to it'),
}

type RerankSettings = z.output<z.ZodObject<typeof rerankEnv>>

export function checkRerank(
  { LLM__RERANK_KIND: kind, LLM__RERANK_BASE_URL: url, LLM__RERANK_MODEL: model }: Partial<RerankSettings>,
  refuse: (name: keyof RerankSettings, problem: string) => void,
): void {
  if ((kind === 'rerank' || kind === 'tei') && url === undefined)
    refuse('LLM__RERANK_BASE_URL', `is needed with LLM__RERANK_KIND=${kind}`)
  if (kind === 'chat' && model === undefined) refuse('LLM__RERANK_MODEL', 'is needed with LLM__RERANK_KIND=chat')
}

/** `undefined` when there is none. */
export function rerankerOf(settings: RerankSettings, ollamaUrl: string): Reranker | undefined {
  const { LLM__RERANK_KIND: kind, LLM__RERANK_BASE_URL: url = ollamaUrl } = settings
  if (kind === 'off') return undefined
  return createHttpReranker({
    kind,
    url: plainUrl(url),
    model: settings.LLM__RERANK_MODEL,
    apiKey: settings.LLM__RERANK_API_KEY,
    timeoutMs: settings.LLM__RERANK_TIMEOUT_MS,
    candidates: settings.LLM__RERANK_CANDIDATES,
  })
}

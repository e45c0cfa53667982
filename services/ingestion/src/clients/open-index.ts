import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import type { Config } from '../config.ts'
import type { Embedder } from '../services/search/embedding-service.ts'
import { vectorsName } from '../services/search/model-prompts.ts'
import type { SearchIndex } from '../services/search/search-index.ts'
import { createEmbeddedIndex } from './embedded-index/embedded-index.ts'
import { createQdrantIndex } from './qdrant-index/qdrant-index.ts'

type IndexSettings = Pick<Config, 'INDEX__DIR' | 'LLM__QDRANT_URL' | 'LLM__QDRANT_API_KEY'>

interface IndexParts {
  readonly embedder: Embedder
  readonly logger: Logger
}

const ASK_MS = 30_000

/** The index that the settings name: Qdrant, or files of this machine. */
export function openIndex(settings: IndexSettings, { embedder, logger }: IndexParts): SearchIndex {
  const { INDEX__DIR: dir, LLM__QDRANT_URL: url, LLM__QDRANT_API_KEY: apiKey } = settings
  if (url === undefined) return createEmbeddedIndex(dir, { logger })
  const dimensions = async () => {
    const [vector] = await embedder.embed(['a text of any kind'], { as: 'document', timeoutMs: ASK_MS })
    if (vector) return vector.length
    throw new AppError('SERVICE_UNAVAILABLE', 'The embedding model answered without a vector', { retryAfter: 5 })
  }
  return createQdrantIndex({ url, apiKey, model: vectorsName(embedder.model), dimensions, logger })
}

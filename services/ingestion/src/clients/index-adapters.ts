import type { Logger } from '@youworker/runtime/logger'
import type { Config } from '../config.ts'
import type { IndexAdapters } from '../services/search/generations/index-adapter.ts'
import { embeddedAdapter } from './embedded-index/embedded-adapter.ts'
import { qdrantAdapter } from './qdrant-index/qdrant-adapter.ts'

type IndexSettings = Pick<Config, 'INDEX__DIR' | 'LLM__QDRANT_URL' | 'LLM__QDRANT_API_KEY'>

/** Files of this machine, and Qdrant when the settings name one. */
export function indexAdapters(settings: IndexSettings, logger: Logger): IndexAdapters {
  const { INDEX__DIR: dir, LLM__QDRANT_URL: url, LLM__QDRANT_API_KEY: apiKey } = settings
  const embedded = embeddedAdapter(dir, { logger })
  return url === undefined ? { embedded } : { embedded, qdrant: qdrantAdapter({ url, apiKey, logger }) }
}

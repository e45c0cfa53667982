import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/config'
import { z } from 'zod'

const tokens = z.coerce.number().int()

export const Env = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  /** Key ring that files are sealed with: a Fernet key, or `id:key,id:key`. */
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: z.string().min(1),
  LLM__OLLAMA_BASE_URL: z.url().default('http://127.0.0.1:11434'),
  LLM__EMBED_MODEL: z.string().min(1).default('nomic-embed-text'),
  /** Folder of the embedded search index: one file per space, derived from Postgres, safe to delete. */
  INDEX__DIR: z.string().min(1),
  INGEST__MAX_FILE_MB: z.coerce.number().int().min(1).max(1_024).default(100),
  INGEST__CHUNK_TOKENS: tokens.min(50).max(1_000).default(400),
  INGEST__CHUNK_OVERLAP: tokens.min(0).max(500).default(60),
})

export type Config = z.output<typeof Env>

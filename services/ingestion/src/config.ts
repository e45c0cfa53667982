import { audioEnv } from '@youworker/audio-server/audio-env'
import { deletionEnv } from '@youworker/database/deletion/deletion-env'
import { sealingEnv } from '@youworker/database/sealing/sealing-env'
import { fetchEnv } from '@youworker/guarded-fetch/fetch-env'
import { checkTogether, databaseEnv, httpUrl, integer, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'
import { checkRerank, rerankEnv } from './clients/reranker/rerank-env.ts'

const ENV = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  ...sealingEnv,
  ...deletionEnv,
  LLM__OLLAMA_BASE_URL: httpUrl.default('http://127.0.0.1:11434').describe('Address of Ollama'),
  LLM__EMBED_MODEL: z
    .string()
    .min(1)
    .default('nomic-embed-text')
    .describe(
      'Model of embeddings; with another one everything is embedded again in the background, and searched in the old index until then',
    ),
  LLM__QDRANT_URL: httpUrl
    .optional()
    .describe(
      'Address of Qdrant 1.15 or later with its port, like http://127.0.0.1:6333; without it the search index is files in INDEX__DIR, for one machine',
    ),
  LLM__QDRANT_API_KEY: z.string().min(1).optional().meta({ description: 'Key of that Qdrant, if it wants one', secret: true }),
  ...rerankEnv,
  INDEX__DIR: z
    .string()
    .min(1)
    .describe('Folder of the embedded search index: one file per space, derived from Postgres, safe to delete'),
  DISK__WARN_BELOW_MB: integer(0, 1_000_000_000)
    .default(1_024)
    .meta({ description: 'Free space of the disk of INDEX__DIR below which health shows a warning', unit: 'MB' }),
  DISK__REFUSE_BELOW_MB: integer(0, 1_000_000_000)
    .default(200)
    .meta({ description: 'Free space below which uploads are refused and ingestions wait; 0 never refuses', unit: 'MB' }),
  INGEST__UPLOAD_ROOT: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of this server whose files root may have ingested by their path; without it none'),
  ...fetchEnv,
  ...audioEnv,
  INGEST__TRANSCRIPTIONS: integer(1, 100)
    .default(2)
    .describe('Most recordings that one ingestion process has transcribed at the same time; the others wait'),
  INGEST__TRANSCRIPTION_MS: integer(1_000, 14_400_000)
    .default(1_800_000)
    .meta({ description: 'How long the audio server may take for one recording that is read as a document', unit: 'ms' }),
  INGEST__MAX_FILE_MB: integer(1, 1_024).default(100).meta({ description: 'Largest file that is taken', unit: 'MB' }),
  INGEST__OCR_LANGUAGES: z
    .string()
    .default('eng')
    .transform((names) => names.split(',').map((name) => name.trim()))
    .refine((names) => names.every((name) => /^[a-z]{3}[a-z_]{0,16}$/.test(name)), 'must be names as eng,deu,fra')
    .describe(
      'Languages of texts in pictures and scans, as Tesseract names them, separated by commas; each but eng needs its package @tesseract.js-data/NAME',
    ),
  INGEST__CHUNK_TOKENS: integer(50, 1_000)
    .default(400)
    .meta({ description: 'Length of a passage that is found as one', unit: 'tokens' }),
  INGEST__CHUNK_OVERLAP: integer(0, 500)
    .default(60)
    .meta({ description: 'How much of a passage the next one repeats', unit: 'tokens' }),
})

export const Env = checkTogether(ENV, (env, refuse) => {
  const { INGEST__CHUNK_TOKENS: tokens, INGEST__CHUNK_OVERLAP: overlap } = env
  if (tokens !== undefined && overlap !== undefined && overlap >= tokens)
    refuse('INGEST__CHUNK_OVERLAP', `must be less than INGEST__CHUNK_TOKENS, which is ${tokens}`)
  checkRerank(env, refuse)
})

export type Config = z.output<typeof Env>

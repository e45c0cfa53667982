import { processEnv } from '@youworker/runtime/config'
import { z } from 'zod'

export const Env = z.object({
  ...processEnv,
  OFFLINE_MODEL__HOST: z.string().default('127.0.0.1'),
  /** 0 = a free one. */
  OFFLINE_MODEL__PORT: z.coerce.number().int().min(0).max(65_535).default(11_434),
  /** 0 = everything at once. */
  OFFLINE_MODEL__TOKENS_PER_SECOND: z.coerce.number().min(0).max(100_000).default(60),
  /** A JSON file of rules for tests and benches; see script.ts. */
  OFFLINE_MODEL__SCRIPT: z.string().optional(),
})
export type Config = z.output<typeof Env>

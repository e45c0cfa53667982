import { integer, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

export const Env = z.object({
  ...processEnv,
  OFFLINE_MODEL__HOST: z.string().default('127.0.0.1').describe('Address that the offline model listens on'),
  OFFLINE_MODEL__PORT: integer(0, 65_535).default(11_434).describe('Port of the offline model; 0 takes a free one'),
  OFFLINE_MODEL__TOKENS_PER_SECOND: z.coerce
    .number()
    .min(0)
    .max(100_000)
    .default(60)
    .meta({ description: 'Speed of its answers; 0 sends everything at once', unit: 'tokens per second' }),
  OFFLINE_MODEL__SCRIPT: z.string().optional().describe('A JSON file of rules for tests and benches'),
})
export type Config = z.output<typeof Env>

import { natsEnv, processEnv } from '@youworker/runtime/config'
import { z } from 'zod'

export const Env = z.object({
  ...processEnv,
  ...natsEnv,
  TOOLS__HOST: z.string().default('127.0.0.1'),
  /** 0: any free port. */
  TOOLS__PORT: z.coerce.number().int().min(0).max(65_535).default(8_100),
  /** The URL under which others reach this process, unless it is a loopback address: its host name is accepted too. */
  TOOLS__URL: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
})
export type Config = z.output<typeof Env>

import { httpUrl, integer, listenEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

export const Env = z.object({
  ...processEnv,
  ...natsEnv,
  ...listenEnv,
  TOOLS__HOST: z.string().default('127.0.0.1').describe('Address that the tool servers listen on'),
  TOOLS__PORT: integer(0, 65_535).default(8_100).describe('Port of the tool servers; 0 takes a free one'),
  TOOLS__URL: httpUrl
    .optional()
    .describe('Where chat-agent reaches this process when not on a loopback address: its host name is then accepted'),
})
export type Config = z.output<typeof Env>

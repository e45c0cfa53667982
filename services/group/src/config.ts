import { keyRingProblem, SEALING } from '@youworker/database/sealing/key-ring'
import { checkTogether, databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

const ENV = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: z.string().meta({
    description: 'Key ring that messages and files are sealed with: a Fernet key, or id:key,id:key with the highest id in use',
    secret: true,
  }),
})

export const Env = checkTogether(ENV, ({ SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: ring }, refuse) => {
  const wrong = ring === undefined ? undefined : keyRingProblem(ring, SEALING)
  if (wrong !== undefined) refuse('SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET', wrong)
})

export type Config = Readonly<z.output<typeof Env>>

import { deletionEnv } from '@youworker/database/deletion/deletion-env'
import { sealingEnv } from '@youworker/database/sealing/sealing-env'
import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

export const Env = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  ...sealingEnv,
  ...deletionEnv,
})

export type Config = Readonly<z.output<typeof Env>>

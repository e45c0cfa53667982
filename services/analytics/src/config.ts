import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

export const Env = z.object({ ...processEnv, ...databaseEnv, ...natsEnv })

export type Config = Readonly<z.output<typeof Env>>

import { runProcess } from '@youworker/runtime/process/run-process'
import { startGateway } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'gateway', env: process.env, schema: Env, start: startGateway })

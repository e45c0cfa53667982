import { runProcess } from '@youworker/runtime/process/run-process'
import { startGroup } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'group', env: process.env, schema: Env, start: startGroup })

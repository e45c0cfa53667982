import { runProcess } from '@youworker/runtime/process/run-process'
import { startAuth } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'auth', env: process.env, schema: Env, start: startAuth })

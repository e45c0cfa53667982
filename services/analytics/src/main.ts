import { runProcess } from '@youworker/runtime/process/run-process'
import { startAnalytics } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'analytics', env: process.env, schema: Env, start: startAnalytics })

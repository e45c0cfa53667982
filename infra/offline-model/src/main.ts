import { runProcess } from '@youworker/runtime/process/run-process'
import { startOfflineModel } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'offline-model', env: process.env, schema: Env, start: startOfflineModel })

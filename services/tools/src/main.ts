import { runProcess } from '@youworker/runtime/process/run-process'
import { startTools } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'tools', env: process.env, schema: Env, start: startTools })

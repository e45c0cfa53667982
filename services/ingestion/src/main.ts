import { runProcess } from '@youworker/runtime/process/run-process'
import { startIngestion } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'ingestion', env: process.env, schema: Env, start: startIngestion })

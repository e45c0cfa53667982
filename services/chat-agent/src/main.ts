import { runProcess } from '@youworker/runtime/process/run-process'
import { startChatAgent } from './app.ts'
import { Env } from './config.ts'

await runProcess({ name: 'chat-agent', env: process.env, schema: Env, start: startChatAgent })

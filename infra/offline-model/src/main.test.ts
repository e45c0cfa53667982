import { startOfflineModel } from '@youworker/test-kit/offline-model'
import { Ollama } from 'ollama'
import { expect, test } from 'vitest'

test('the process answers, reads a changed script and ends on SIGTERM', async () => {
  const model = await startOfflineModel()
  const ollama = new Ollama({ host: model.url })
  const ask = () => ollama.chat({ model: 'youworker-offline', messages: [{ role: 'user', content: 'hello' }] })
  expect((await ask()).message.content).toContain('youworker-offline')
  await model.setScript({ rules: [{ reply: { text: 'scripted' } }] })
  expect((await ask()).message.content).toBe('scripted')
  await model[Symbol.asyncDispose]()
  expect(() => process.kill(model.pid, 0)).toThrow('ESRCH')
}, 60_000)

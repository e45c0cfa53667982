// Mastra as its documentation sets it up: one agent behind a streaming route. It stores nothing.
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Mastra } from '@mastra/core'
import { Agent } from '@mastra/core/agent'
import { createOllama } from 'ollama-ai-provider-v2'
const ollama = createOllama({ baseURL: `${process.env.OLLAMA_URL}/api` })
const agent = new Agent({ id: 'assistant', name: 'assistant', instructions: 'Answer.', model: ollama(process.env.MODEL) })
const mastra = new Mastra({ agents: { assistant: agent }, logger: false })
const app = new Hono()
app.post('/v1/chat', async (c) => {
  const { text_input } = await c.req.json()
  return streamSSE(c, async (stream) => {
    const { textStream } = await mastra.getAgent('assistant').stream([{ role: 'user', content: text_input }])
    let content = ''
    for await (const text of textStream) {
      content += text
      await stream.writeSSE({ event: 'token', data: JSON.stringify({ text }) })
    }
    await stream.writeSSE({ event: 'done', data: JSON.stringify({ content }) })
  })
})
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => process.send?.(server.address().port))
process.once('disconnect', () => process.exit())

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { createOllamaEmbedder } from './ollama.ts'

test('the model gets queries and documents as it was trained with them, and other texts as they are', async () => {
  const asked: unknown[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push(body)
      const { input } = body as { input: string[] }
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ embeddings: input.map(() => [1, 0]) }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const embedder = createOllamaEmbedder({ url, model: 'nomic-embed-text' })
  await embedder.embed(['bees'], { as: 'query', timeoutMs: 5_000 })
  await embedder.embed(['bees', 'birds'], { as: 'document', timeoutMs: 5_000 })
  await embedder.embed(['bees'], { timeoutMs: 5_000 })
  server.close()
  expect(asked).toMatchObject([
    { model: 'nomic-embed-text', input: ['search_query: bees'] },
    { model: 'nomic-embed-text', input: ['search_document: bees', 'search_document: birds'] },
    { model: 'nomic-embed-text', input: ['bees'] },
  ])
})

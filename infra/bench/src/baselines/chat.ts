// The baseline of answers: one process that streams the model's tokens to the client and stores question and answer in one
// transaction. No accounts, no encryption, no log that a second reader could resume.
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { Ollama } from 'ollama'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 10 })
const ollama = new Ollama({ host: process.env['OLLAMA_URL'] ?? '' })
await pool.query('create table if not exists bare_messages (id uuid primary key, session uuid not null, role text, content text)')

async function store(session: string, question: string, answer: string): Promise<void> {
  const client = await pool.connect()
  try {
    const insert = (role: string, content: string) => ({
      name: 'insert',
      text: 'insert into bare_messages (id, session, role, content) values ($1, $2, $3, $4)',
      values: [randomUUID(), session, role, content],
    })
    await client.query('begin')
    await client.query(insert('user', question))
    await client.query(insert('assistant', answer))
    await client.query('commit')
  } finally {
    client.release()
  }
}

const app = new Hono()
app.post('/v1/chat', async (c) => {
  const { text_input: question } = await c.req.json<{ text_input: string }>()
  return streamSSE(c, async (stream) => {
    let answer = ''
    const messages = [{ role: 'user', content: question }]
    for await (const { message } of await ollama.chat({ model: process.env['MODEL'] ?? '', messages, stream: true })) {
      answer += message.content
      await stream.writeSSE({ event: 'token', data: JSON.stringify({ text: message.content }) })
    }
    await store(randomUUID(), question, answer)
    await stream.writeSSE({ event: 'done', data: JSON.stringify({ content: answer }) })
  })
})
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () =>
  process.send?.((server.address() as AddressInfo).port),
)
process.once('disconnect', () => process.exit())

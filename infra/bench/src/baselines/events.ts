// The baseline of `events`: on each message `go` it publishes and consumes EVENTS events, and answers with a message when all are stored.
import { findNatsServer, startNats } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { AckPolicy, connect, RetentionPolicy, StorageType } from 'nats'
import pg from 'pg'

const { DATABASE_URL, DIR = '', EVENTS } = process.env
const count = Number(EVENTS)
const BATCH = 200

const { path: binary } = await findNatsServer()
const accounts = { BENCH: { users: [{ user: 'bench', password: 'bench' }], jetstream: 'enabled' as const } }
const server = await startNats({ binary, dir: DIR, port: await freePort(), accounts })
const nats = await connect({ servers: server.url, user: 'bench', pass: 'bench' })
const manager = await nats.jetstreamManager()
await manager.streams.add({
  name: 'BENCH',
  subjects: ['bench.event'],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
})
await manager.consumers.add('BENCH', { durable_name: 'bench', ack_policy: AckPolicy.Explicit })
const stream = nats.jetstream()
const consumer = await stream.consumers.get('BENCH', 'bench')
const database = new pg.Client({ connectionString: DATABASE_URL })
await database.connect()
await database.query('create table if not exists public.bench_events (id uuid primary key, data jsonb not null)')

async function publish(): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH) {
    const batch = Array.from({ length: BATCH }, () => {
      const id = crypto.randomUUID()
      const data = { message_id: id, session_id: id, user_id: id, role: 'user', model: null, tokens_in: 0, tokens_out: 0 }
      return stream.publish('bench.event', JSON.stringify({ id, data }), { msgID: id })
    })
    await Promise.all(batch)
  }
}

async function consume(): Promise<void> {
  for (let stored = 0; stored < count;) {
    const messages = []
    for await (const message of await consumer.fetch({ max_messages: BATCH, expires: 1_000 })) messages.push(message)
    const rows = messages.map((message) => message.json<{ id: string; data: unknown }>())
    await database.query(
      `insert into public.bench_events select * from jsonb_to_recordset($1::jsonb) as row (id uuid, data jsonb)
        on conflict do nothing`,
      [JSON.stringify(rows)],
    )
    for (const message of messages) message.ack()
    stored += messages.length
  }
}

process.on('message', () => {
  void Promise.all([publish(), consume()]).then(() => process.send?.('stored'))
})
process.send?.({ pid: server.pid })

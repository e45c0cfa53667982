// Reads the events of YouWorker that another team may read, each at least once, also those that came while this did not run.
// Take it into a project with `npm install nats`. The URL is printed by: npm run youworker -- nats user add NAME
//
//   NATS_URL=nats://team-NAME:PASSWORD@HOST:PORT node subscribe.ts group ingestion
import { connect } from 'nats'

const { host, username: user, password: pass } = new URL(process.env['NATS_URL'] ?? '')
const nats = await connect({ servers: host, user, pass, inboxPrefix: `_INBOX.${user}`, maxReconnectAttempts: -1 })
const jetStream = nats.jetstream({ apiPrefix: '$JS.EVENTS.API' })

/** The services whose events the team may read, as in `--events`; each has a durable, which knows what has been read. */
const owners = process.argv.slice(2)
await Promise.all((owners.length > 0 ? owners : ['group']).map(read))

async function read(owner: string): Promise<void> {
  const durable = await jetStream.consumers.get('EVENTS', `${user}_${owner}`)
  for await (const message of await durable.consume()) {
    // CloudEvents 1.0: id, source, type, time, data. An event may come twice: remember the ids whose effect you have made.
    const { id, type, time, data } = message.json<{ id: string; type: string; time: string; data: object }>()
    console.log(message.seq, time, type, id, JSON.stringify(data))
    // Without this it comes again after 30 s.
    message.ack()
  }
}

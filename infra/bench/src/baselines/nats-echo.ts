// Answers every request with its own payload, the plain way.
import { connect } from 'nats'

const { host, username: user, password: pass } = new URL(process.env['NATS_URL'] ?? '')
const nats = await connect({ servers: host, user, pass })
nats.subscribe(process.env['SUBJECT'] ?? '', { callback: (_error, message) => void message.respond(message.data) })
await nats.flush()
process.send?.('ready')
process.once('disconnect', () => process.exit())

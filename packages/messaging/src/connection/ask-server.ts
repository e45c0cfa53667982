import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import { connect } from 'nats'

/**
 * Whether a nats-server works, over a connection of its own: a ping, and a request to JetStream, whose locks are what hangs when
 * the disk was full (seen with 2.9.10, which goes on to answer pings). Rejects after `timeoutMs`.
 */
export async function askNats(url: string, timeoutMs: number): Promise<void> {
  const { host, username, password } = new URL(url)
  const login = { user: decodeURIComponent(username), pass: decodeURIComponent(password) }
  const nats = await connect({ servers: host, ...login, reconnect: false, timeout: timeoutMs, name: 'health check' })
  try {
    const asked = Promise.all([
      nats.flush(),
      nats.jetstreamManager({ checkAPI: false, timeout: timeoutMs }).then(({ streams }) => streams.info(EVENT_STREAM.name)),
    ])
    if (!(await settledWithin(timeoutMs, asked))) throw new Error(`no answer in ${timeoutMs / 1_000} s`)
    await asked
  } finally {
    await settledWithin(timeoutMs, nats.close())
  }
}

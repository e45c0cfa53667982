import { EVENT_STREAM, NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import { NEIGHBOURS, SERVICES } from '@youworker/contracts/topology/topology'
import type { Logger } from '@youworker/runtime/logger'
import { retry } from '@youworker/runtime/timing/retry'
import { type JetStreamManager, nanos, RetentionPolicy, StorageType } from 'nats'
import { closeNats, connectNats, type NatsConnection } from '../connection/connect.ts'
import { isLost } from '../connection/transport-error.ts'
import { ensureDurable } from './durables.ts'
import { API_MS, isApiError, jetStreamError, STREAM_NOT_FOUND } from './event-stream.ts'
import { ensureTeamDurables } from './team-durables.ts'

const DAY_MS = 86_400_000
const STREAM = {
  name: EVENT_STREAM.name,
  subjects: [...EVENT_STREAM.subjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: nanos(7 * DAY_MS),
  duplicate_window: nanos(120_000),
  num_replicas: 1,
}

interface Options {
  /** Of a user who may make streams: the administrator. */
  readonly url: string
  readonly logger: Logger
  /** All that there are. Without it durables of teams stay as they are. */
  readonly teams?: readonly NatsTeam[] | undefined
}

/**
 * Makes the stream of events and the durables of the services that consume some and of other teams, or brings them up to date.
 * None of these may do it: a durable's filter is what keeps other events from its reader. Repeats change nothing.
 */
export async function ensureEventStream({ url, logger, teams }: Options): Promise<void> {
  const nats = await connectNats({ url, service: NATS_ADMIN, logger })
  try {
    // A server that has just started has no JetStream yet.
    await retry(() => ensureAll(nats, teams), { attempts: 6, baseMs: 250, isRetryable: isLost })
  } finally {
    await closeNats(nats)
  }
}

async function ensureAll(nats: NatsConnection, teams: Options['teams']): Promise<void> {
  try {
    const manager = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    await ensureStream(manager)
    const hasFilterLists = isAtLeast210(nats.core.info?.version)
    for (const service of SERVICES) {
      const subjects = NEIGHBOURS[service].consumes.map(({ subject }) => subject).sort()
      if (subjects.length === 0) continue
      await ensureDurable(manager, service, hasFilterLists ? subjects : [narrowest(subjects)])
    }
    if (teams) await ensureTeamDurables(manager, teams)
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

async function ensureStream({ streams }: JetStreamManager): Promise<void> {
  try {
    const { config } = await streams.info(STREAM.name)
    const isUpToDate = config.max_age === STREAM.max_age && config.subjects.join() === STREAM.subjects.join()
    if (!isUpToDate) await streams.update(STREAM.name, STREAM)
  } catch (error) {
    if (!isApiError(error, STREAM_NOT_FOUND)) throw error
    await streams.add(STREAM)
  }
}

/** The one pattern that covers them all, for servers before 2.10: they know a single filter. */
function narrowest(subjects: readonly string[]): string {
  const [first = [], ...others] = subjects.map((subject) => subject.split('.'))
  return first.map((token, index) => (others.every((other) => other[index] === token) ? token : '*')).join('.')
}

function isAtLeast210(version = ''): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 10)
}

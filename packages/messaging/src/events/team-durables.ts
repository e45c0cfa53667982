import {
  EVENT_STREAM,
  eventsFrom,
  JETSTREAM_API,
  NATS_ADMIN,
  teamDurable,
  teamUser,
} from '@youworker/contracts/topology/subjects'
import type { NatsTeam } from '@youworker/contracts/topology/teams'
import type { Logger } from '@youworker/runtime/logger'
import { type ConsumerInfo, DeliverPolicy, type JetStreamManager } from 'nats'
import { closeNats, connectNats } from '../connection/connect.ts'
import { ensureDurable, filtersOf, replaceDurable, type Start } from './durables.ts'
import { API_MS, jetStreamError } from './event-stream.ts'

/** Makes the durables of the teams that there are, and removes those of others. */
export async function ensureTeamDurables(manager: JetStreamManager, teams: readonly NatsTeam[]): Promise<void> {
  const wanted = new Map(teams.flatMap(({ name, events }) => events.map((owner) => [teamDurable(name, owner), owner] as const)))
  for (const { name } of await durablesOfTeams(manager))
    if (!wanted.has(name)) await manager.consumers.delete(EVENT_STREAM.name, name)
  for (const [name, owner] of wanted) await ensureDurable(manager, name, [eventsFrom(owner)])
}

interface Replay {
  /** Of the administrator. */
  readonly url: string
  readonly logger: Logger
  readonly team: string
  /** A time, or the number of an event in the stream. */
  readonly from: Date | number
}

/** The team gets all events from there on, also those that it has acknowledged. Returns its durables. */
export async function replayTeam({ url, logger, team, from }: Replay): Promise<string[]> {
  const nats = await connectNats({ url, service: NATS_ADMIN, logger })
  try {
    const manager = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    const durables = (await durablesOfTeams(manager)).filter(({ name }) => name.startsWith(teamDurable(team, '')))
    for (const durable of durables) await replaceDurable(manager, durable.name, filtersOf(durable), startAt(from))
    return durables.map(({ name }) => name)
  } catch (error) {
    throw jetStreamError(nats, error)
  } finally {
    await closeNats(nats)
  }
}

/** Whether a team reaches its durables with its own user. `url` is of the server. */
export async function canTeamRead(url: string, { name, password, events }: NatsTeam, logger: Logger): Promise<boolean> {
  const own = new URL(url)
  own.username = teamUser(name)
  own.password = password
  try {
    const nats = await connectNats({ url: own.href, service: own.username, logger })
    try {
      const { consumers } = nats.core.jetstream({ timeout: API_MS, apiPrefix: JETSTREAM_API.imported })
      for (const owner of events) await consumers.get(EVENT_STREAM.name, teamDurable(name, owner))
      return true
    } finally {
      await closeNats(nats)
    }
  } catch {
    return false
  }
}

const startAt = (from: Date | number): Start =>
  typeof from === 'number'
    ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from }
    : { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.toISOString() }

async function durablesOfTeams({ consumers }: JetStreamManager): Promise<ConsumerInfo[]> {
  const all: ConsumerInfo[] = []
  for await (const consumer of consumers.list(EVENT_STREAM.name)) all.push(consumer)
  return all.filter(({ name }) => name.startsWith(teamUser('')))
}

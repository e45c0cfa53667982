import { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { NEIGHBOURS, SCHEMAS } from '@youworker/contracts/topology/topology'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { openDatabase } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { createLogger } from '@youworker/runtime/logger'
import { forTerminal } from '@youworker/runtime/text/text'

interface Urls {
  readonly adminUrl: string
  readonly natsUrl: string
}

const LISTED = 1_000
const logger = createLogger({ name: 'dead-letters', level: 'warn' })

/** Prints the newest dead letters of every consuming service: service, id, time, subject and reason. */
export async function listDeadLetters({ adminUrl }: Pick<Urls, 'adminUrl'>): Promise<void> {
  let total = 0
  for (const service of Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[]) {
    await using letters = openLetters(adminUrl, SCHEMAS[service])
    for (const { id, created_at, envelope, reason } of await letters.list()) {
      total += 1
      const what = readEnvelope(envelope)?.type ?? 'no event'
      console.log(forTerminal(`${service}  ${id}  ${created_at}  ${what}\n    ${reason}`))
    }
  }
  console.log(
    total === 0 ? 'There are no dead letters.' : `${total} dead letters. Send them again: events dead-letters redrive ID | all`,
  )
}

/**
 * Publishes dead letters again and removes them. Services that have handled such an event before know it by its id. A crash in
 * between leaves the letter, so that it is published twice rather than lost.
 */
export async function redriveDeadLetters({ adminUrl, natsUrl }: Urls, ids: readonly string[]): Promise<void> {
  const { closeNats, connectNats } = await import('@youworker/messaging/connection/connect')
  const { republishEvent } = await import('@youworker/messaging/events/events')
  const nats = await connectNats({ url: natsUrl, service: NATS_ADMIN, logger })
  let sent = 0
  try {
    for (const service of Object.keys(SCHEMAS) as (keyof typeof SCHEMAS)[]) {
      await using letters = openLetters(adminUrl, SCHEMAS[service])
      const consumed = new Set(NEIGHBOURS[service].consumes.map(({ subject }) => subject))
      for (const { id, envelope } of await letters.list()) {
        if (!ids.includes(id) && !ids.includes('all')) continue
        const event = readEnvelope(envelope)
        if (!event) {
          console.log(`${id} is not an event and cannot be sent again; it stays`)
          continue
        }
        // Whoever writes into the table of one service must not speak for others through the administrator.
        if (!consumed.has(event.type)) {
          console.log(`${id} is an event that ${service} does not consume (${event.type}) and is not sent again; it stays`)
          continue
        }
        await republishEvent(nats, event)
        await letters.remove(id)
        sent += 1
      }
    }
  } finally {
    await closeNats(nats)
  }
  console.log(`${sent} dead letters were sent again.`)
}

function openLetters(url: string, schema: string) {
  const database = openDatabase<object>({ url, schema, poolSize: 1, slowQueryMs: 60_000, logger })
  const uow: UnitOfWork<SystemRepositories> = createUnitOfWork(database, () => ({}))
  return {
    list: () => uow.system().read(({ deadLetters }) => deadLetters.list({ limit: LISTED })),
    remove: (id: string) => uow.system().write(({ deadLetters }) => deadLetters.remove(id)),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  }
}

function readEnvelope(json: string): EventEnvelope | undefined {
  try {
    return EventEnvelope.parse(JSON.parse(json))
  } catch {
    return undefined
  }
}

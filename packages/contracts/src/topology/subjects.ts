/** Builders for the subjects that are not in a contract: live entries of runs, wake-ups of workers, readiness of replicas. */
export const liveSubject = (runId: string): string => `runs.${runId}`
export const wakeSubject = (service: string, kind: string): string => `wake.${service}.${kind}`
export const readySubject = (service: string): string => `ready.${service}`

/** Of the administrator's NATS user: makes the stream and its durables. */
export const NATS_ADMIN = 'admin'

/** NATS user, account and prefix of the durables of another team, who may only read events. */
export const teamUser = (name: string): string => `team-${name}`
/** One durable for each owner of events: before nats-server 2.10 a durable has one filter. */
export const teamDurable = (name: string, owner: string): string => `${teamUser(name)}_${owner}`

/**
 * Where a caller receives the replies of one callee. The callee may publish there and nowhere else in the caller's inbox, so no
 * service can answer in the name of another.
 */
export const replySubject = (caller: string, callee: string, token?: string): string =>
  `_INBOX.${[caller, callee, token].filter((part) => part !== undefined).join('.')}`

export const EVENT_STREAM = { name: 'EVENTS', subjects: ['events.>'] } as const
/** All events of one owner. */
export const eventsFrom = (owner: string): string => `events.${owner}.>`

/** Under which JetStream's API of the stream's account is reached from another account; `$JS.API` is always the account's own. */
export const JETSTREAM_API = { own: '$JS.API', imported: '$JS.EVENTS.API' } as const

/** The service that owns a subject: `rpc.group.v1.member.add` -> `group`. */
export function ownerOf(subject: string): string {
  const [kind, service] = subject.split('.')
  if (kind === undefined || service === undefined) throw new Error(`not a subject of the system: ${subject}`)
  return service
}

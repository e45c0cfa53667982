/** Builders for the subjects that are not in a contract: live entries of runs, wake-ups of workers, readiness of replicas. */
export const liveSubject = (runId: string): string => `runs.${runId}`
export const wakeSubject = (service: string, kind: string): string => `wake.${service}.${kind}`
export const readySubject = (service: string): string => `ready.${service}`

/** Of the administrator's NATS user: makes the stream and its durables. */
export const NATS_ADMIN = 'admin'

/**
 * Where a caller receives the replies of one callee. The callee may publish there and nowhere else in the caller's inbox, so no
 * service can answer in the name of another.
 */
export const replySubject = (caller: string, callee: string, token?: string): string =>
  `_INBOX.${[caller, callee, token].filter((part) => part !== undefined).join('.')}`

export const EVENT_STREAM = { name: 'EVENTS', subjects: ['events.>'] } as const

/** The service that owns a subject: `rpc.group.v1.member.add` -> `group`. */
export function ownerOf(subject: string): string {
  const [kind, service] = subject.split('.')
  if (kind === undefined || service === undefined) throw new Error(`not a subject of the system: ${subject}`)
  return service
}

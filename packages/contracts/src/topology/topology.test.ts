import { expect, test } from 'vitest'
import { eventsOf, requestsOf } from '../define.ts'
import { ALWAYS_ALLOWED, ERROR_STATUS, type ErrorCode } from '../errors.ts'
import { healthContract } from '../health.ts'
import { LIMITS, WAIT } from '../limits.ts'
import { callersOf, permissionsOf } from './permissions.ts'
import { liveSubject, ownerOf, readySubject, wakeSubject } from './subjects.ts'
import { CONTRACTS, NEIGHBOURS, SCHEMAS, SERVICES, type ServiceName } from './topology.ts'

const owned = (service: ServiceName) => [CONTRACTS[service] ?? {}, healthContract(service)]
const requests = SERVICES.flatMap((service) =>
  owned(service).flatMap((contract) => requestsOf(contract).map(([, request]) => ({ service, request }))),
)
const events = SERVICES.flatMap((service) =>
  owned(service).flatMap((contract) => eventsOf(contract).map(([, event]) => ({ service, event }))),
)
const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_STATUS, code)

/** Matches a subject as NATS does: `*` matches one token, `>` all that follow. */
function covers(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split('.'), subject.split('.')]
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return given.length > index
    if (given[index] === undefined || (token !== '*' && token !== given[index])) return false
  }
  return wanted.length === given.length
}
const allows = (allowed: readonly string[], subject: string) => allowed.some((pattern) => covers(pattern, subject))

test('no subject occurs twice', () => {
  const subjects = [...requests.map(({ request }) => request.subject), ...events.map(({ event }) => event.subject)]
  expect(subjects.length).toBeGreaterThan(70)
  expect(subjects.filter((subject, index) => subjects.indexOf(subject) !== index)).toEqual([])
})

test.each(requests)(
  '$request.subject names its service, and is internal when only services may call it',
  ({ service, request }) => {
    const { subject, auth } = request
    const internal = auth === 'service' ? 'internal[.]' : ''
    expect(subject).toMatch(new RegExp(`^rpc[.]${service}[.]${internal}v[1-9]\\d*([.][a-z]+(-[a-z]+)*){2}$`))
    expect(ownerOf(subject)).toBe(service)
  },
)

test.each(requests)('$request.subject declares valid errors, audience and deadline', ({ request }) => {
  const { errors, audience, auth, deadlineMs } = request
  expect(
    errors.filter((code) => ALWAYS_ALLOWED.includes(code)),
    'declared though always allowed',
  ).toEqual([])
  expect(new Set(errors).size).toBe(errors.length)
  expect(audience.length).toBeGreaterThan(0)
  expect(auth === 'user' || audience.join() === 'api').toBe(true)
  expect(deadlineMs).toBeGreaterThanOrEqual(1_000)
  expect(deadlineMs).toBeLessThanOrEqual(WAIT.slowRequest)
})

test.each(events)('$event.subject names its service', ({ service, event }) => {
  expect(event.subject).toMatch(new RegExp(`^events[.]${service}[.]v[1-9]\\d*[.][a-z]+(-[a-z]+)*[.][a-z]+(-[a-z]+)*$`))
})

test('the topology names only existing subjects, and no service but the gateway calls itself', () => {
  const known = new Set<unknown>([...requests.map(({ request }) => request.subject), ...events.map(({ event }) => event.subject)])
  for (const service of SERVICES) {
    const { calls, consumes, subscribes } = NEIGHBOURS[service]
    for (const { subject } of [...calls, ...consumes, ...subscribes]) expect(known).toContain(subject)
    if (service === 'gateway') continue
    expect(calls.filter(({ subject }) => ownerOf(subject) === service)).toEqual([])
  }
})

test('internal requests have a caller, and services that verify tokens of users subscribe to revocations', () => {
  const called = new Set(SERVICES.flatMap((service) => NEIGHBOURS[service].calls.map(({ subject }) => subject)))
  const uncalled = requests.filter(({ request }) => request.auth === 'service' && !called.has(request.subject))
  expect(uncalled).toEqual([])
  for (const { service, request } of requests) {
    if (request.auth !== 'user') continue
    expect(NEIGHBOURS[service].subscribes.map(({ subject }) => subject)).toContain(
      events.find(({ event }) => event.subject.endsWith('revocation.added'))?.event.subject,
    )
  }
})

test.each(SERVICES)('%s has all permissions that it needs', (service) => {
  const { publish, subscribe } = permissionsOf(service)
  const { calls, consumes, subscribes } = NEIGHBOURS[service]
  const mustPublish = [
    ...calls.map(({ subject }) => subject),
    ...events.filter((entry) => entry.service === service).map(({ event }) => event.subject),
    wakeSubject(service, 'run'),
    ...[service, ...callersOf(service)].map((caller) => `_INBOX.${caller}.${service}.x.1`),
    ...(consumes.length > 0
      ? [
          `$JS.EVENTS.API.CONSUMER.INFO.EVENTS.${service}`,
          `$JS.EVENTS.API.CONSUMER.MSG.NEXT.EVENTS.${service}`,
          `$JS.ACK.EVENTS.${service}.1.1.1.1.0`,
        ]
      : []),
    ...(service === 'chat-agent' ? [liveSubject('id')] : []),
  ]
  const mustSubscribe = [
    ...requests.filter((entry) => entry.service === service).map(({ request }) => request.subject),
    ...subscribes.map(({ subject }) => subject),
    '$SRV.PING',
    `_INBOX.${service}.x.1`,
    wakeSubject(service, 'run'),
    ...(service === 'gateway' ? [liveSubject('id'), readySubject('auth'), readySubject('chat-agent')] : []),
  ]
  expect(mustPublish.filter((subject) => !allows(publish.allow, subject))).toEqual([])
  expect(mustSubscribe.filter((subject) => !allows(subscribe.allow, subject))).toEqual([])
  expect(permissionsOf(service)).not.toHaveProperty('allow_responses')
})

test.each(SERVICES)('%s has no other permissions', (service) => {
  const { publish, subscribe } = permissionsOf(service)
  const { calls, subscribes } = NEIGHBOURS[service]
  const called = new Set(calls.map(({ subject }) => subject))
  const subscribed = new Set(subscribes.map(({ subject }) => subject))
  const foreign = (subjects: string[], mine: Set<string>) => subjects.filter((subject) => !mine.has(subject))
  for (const pattern of [...publish.allow, ...subscribe.allow])
    expect(['>', '*', 'rpc.>', 'events.>', '$JS.>', '$JS.API.>', '_INBOX.>', '$SYS.>']).not.toContain(pattern)
  const uncalled = foreign(
    requests.map(({ request }) => request.subject),
    called,
  )
  expect(uncalled.filter((subject) => allows(publish.allow, subject))).toEqual([])
  const others = events.filter((entry) => entry.service !== service).map(({ event }) => event.subject)
  expect(others.filter((subject) => allows(publish.allow, subject))).toEqual([])
  expect(
    foreign(
      events.map(({ event }) => event.subject),
      subscribed,
    ).filter((subject) => allows(subscribe.allow, subject)),
  ).toEqual([])
  for (const other of SERVICES.filter((name) => name !== service)) {
    const theirs = [`_INBOX.${other}.x.1`, wakeSubject(other, 'run'), healthContract(other).checkHealth.subject]
    expect(theirs.filter((subject) => allows(subscribe.allow, subject))).toEqual([])
    const inNamesOfOthers = SERVICES.filter((name) => name !== service).map((callee) => `_INBOX.${other}.${callee}.x.1`)
    expect([...inNamesOfOthers, `_INBOX.${other}.x`].filter((subject) => allows(publish.allow, subject))).toEqual([])
    const control = [
      wakeSubject(other, 'run'),
      readySubject(other),
      `$JS.ACK.EVENTS.${other}.1.1.1.1.0`,
      `$JS.API.CONSUMER.MSG.NEXT.EVENTS.${other}`,
      `$JS.API.CONSUMER.DELETE.EVENTS.${other}`,
    ]
    expect(control.filter((subject) => allows(publish.allow, subject))).toEqual([])
  }
  const destructive = [
    '$JS.API.STREAM.DELETE.EVENTS',
    '$JS.API.STREAM.PURGE.EVENTS',
    '$JS.API.STREAM.MSG.DELETE.EVENTS',
    '$JS.API.STREAM.CREATE.OTHER',
    '$JS.API.STREAM.CREATE.EVENTS',
    '$JS.API.STREAM.UPDATE.EVENTS',
    '$JS.API.STREAM.MSG.GET.EVENTS',
    '$JS.API.DIRECT.GET.EVENTS',
    '$JS.API.STREAM.SNAPSHOT.EVENTS',
    '$JS.API.STREAM.RESTORE.EVENTS',
    ...SERVICES.flatMap((durable) => [
      `$JS.API.CONSUMER.CREATE.EVENTS.${durable}`,
      `$JS.API.CONSUMER.CREATE.EVENTS.${durable}.events.>`,
      `$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.${durable}`,
      `$JS.API.CONSUMER.DELETE.EVENTS.${durable}`,
    ]),
    '$SYS.REQ.SERVER.PING',
  ]
  expect(destructive.filter((subject) => allows(publish.allow, subject))).toEqual([])
  expect(allows(publish.allow, liveSubject('id'))).toBe(service === 'chat-agent')
  expect(allows(subscribe.allow, liveSubject('id'))).toBe(service === 'gateway')
})

test('each error code has the HTTP status that clients expect', () => {
  const pattern: [RegExp, number][] = [
    [/_NOT_FOUND$/, 404],
    [/_EXISTS$/, 400],
    [/^(VALIDATION_ERROR|INVALID_ROLE|LAST_ADMIN)$/, 400],
    [/^(CONFLICT|IDEMPOTENCY_MISMATCH)$/, 409],
    [/^(CIRCUIT_OPEN|SERVICE_UNAVAILABLE)$/, 503],
  ]
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(600)
    expect({ code, status: pattern.find(([names]) => names.test(code))?.[1] ?? status }).toEqual({ code, status })
  }
  for (const { request } of requests) expect(request.errors.filter((code) => !isErrorCode(code))).toEqual([])
})

test('schema names follow service names, and other limits fit into one NATS message', () => {
  for (const [service, schema] of Object.entries(SCHEMAS)) expect(schema).toBe(service.replaceAll('-', '_'))
  expect(LIMITS.part).toBeLessThan(LIMITS.wire)
  expect(LIMITS.entriesPage).toBeLessThan(LIMITS.wire)
  // JSON may escape a one-byte character to six bytes.
  expect(LIMITS.message * 6).toBeLessThan(LIMITS.wire)
})

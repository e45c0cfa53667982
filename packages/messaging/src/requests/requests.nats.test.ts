import type { Contract } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { LIMITS } from '@youworker/contracts/limits'
import { inRequest } from '@youworker/runtime/current-request'
import { createLogger, type Logger, silentLogger } from '@youworker/runtime/logger'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { type TestNats, testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { connect, headers } from 'nats'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from './client.ts'
import { closeNats, connectNats, type NatsConnection, natsCheck } from '../connection/connect.ts'
import { type CallContext, type Handlers, serve } from './server.ts'

const Text = z.object({ text: z.string() })
/** Real subjects, so that service and queue group are real too; the schemas are this test's. */
const contract = {
  echo: {
    ...group.getGroup,
    auth: 'none',
    input: Text.extend({ n: z.number().default(7) }),
    output: Text.extend({ n: z.number() }),
  },
  write: { ...group.createGroup, auth: 'none', input: Text, output: Text },
  bytes: {
    ...ingestion.writeUpload,
    subject: group.updateGroup.subject,
    auth: 'none',
    input: Text,
    output: Text,
    reply: 'bytes',
  },
  brief: { ...group.listGroups, auth: 'none', input: Text, output: Text, deadlineMs: 300 },
} as const satisfies Contract

let server: TestNats
let nats: NatsConnection
let stack: AsyncDisposableStack
let logged: string[]
let logger: Logger

beforeAll(async () => {
  server = await testNats()
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  nats = stack.adopt(await connectNats({ url: server.url, service: 'group', logger: silentLogger() }), closeNats)
  logged = []
  logger = recordingLogger(logged)
})
afterEach(() => stack.disposeAsync())

const working: Handlers<typeof contract> = {
  echo: async (input) => input,
  write: async (input) => input,
  bytes: async ({ text, bytes }) => ({ text, bytes: bytes.toReversed() }),
  brief: async (input) => input,
}
async function serving(handlers: Partial<Handlers<typeof contract>> = {}, maxInFlight?: number) {
  const options = { service: 'group', verifier: undefined, logger, ...(maxInFlight === undefined ? {} : { maxInFlight }) }
  return stack.use(await serve(nats, contract, { ...working, ...handlers }, options))
}
const code = (expected: string) => expect.objectContaining({ name: 'AppError', code: expected })

test('JSON and bytes arrive with every character, and defaults are filled in', async () => {
  await serving()
  const client = createClient(nats, contract)
  const text = 'Grüße, 日本語 🙂 עברית \u2028\r\n'
  expect(await client.echo({ text })).toEqual({ text, n: 7 })
  const bytes = crypto.getRandomValues(new Uint8Array(50_000))
  const answer = await client.bytes({ text, bytes })
  expect(answer.text).toBe(text)
  expect(Buffer.compare(answer.bytes, bytes.toReversed())).toBe(0)
})

test('the handler receives correlation id, trace, deadline and idempotency key; the deadline of a scope limits its calls', async () => {
  const contexts: CallContext[] = []
  await serving({
    echo: async (input, context) => {
      contexts.push({ ...context })
      return input
    },
  })
  const deadline = Date.now() + 2_000
  const scope = { correlationId: 'corr-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, deadline }
  await createClient(nats, contract).as(scope).echo({ text: '' }, { idempotencyKey: 'key 1' })
  // Some of the time is kept for the reply.
  expect(contexts[0]).toMatchObject({ ...scope, deadline: expect.any(Number), idempotencyKey: 'key 1' })
  expect(contexts[0]?.deadline).toBeLessThan(deadline)
  expect(contexts[0]?.deadline).toBeGreaterThan(deadline - 1_000)
  expect(contexts[0]?.signal.aborted).toBe(false)
  await createClient(nats, contract).echo({ text: '' })
  expect(contexts[1]?.correlationId).toMatch(/^[0-9a-f-]{36}$/)
})

test('a method works without its client object', async () => {
  await serving()
  const { echo } = createClient(nats, contract).as({ correlationId: 'c' })
  expect(await echo({ text: 'x' })).toEqual({ text: 'x', n: 7 })
})

test('invalid input is VALIDATION_ERROR and names the field', async () => {
  await serving()
  const { echo } = createClient(nats, contract)
  // @ts-expect-error -- a number instead of text
  const failure = await echo({ text: 5 }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'text' }] })
})

test('a body that is not JSON, not UTF-8 or empty gets a reply', async () => {
  await serving()
  const raw = await connect({ servers: server.url.replace(/\/\/.*@/, '//'), user: 'test', pass: 'test' })
  stack.defer(() => raw.close())
  for (const payload of ['{"text":', '\u0000', Uint8Array.of(0xff, 0xfe), 'null', '[]', '']) {
    const reply = await raw.request(contract.echo.subject, payload)
    expect(reply.headers?.get('Error-Code')).toBe('VALIDATION_ERROR')
  }
  const nonsense = headers()
  nonsense.set('Args', '{"text"')
  nonsense.set('Deadline', 'soon')
  nonsense.set('Correlation-Id', '../../etc')
  expect((await raw.request(contract.bytes.subject, '', { headers: nonsense, timeout: 5_000 })).headers?.get('Error-Code')).toBe(
    'VALIDATION_ERROR',
  )
  expect(await createClient(nats, contract).echo({ text: 'alive' })).toEqual({ text: 'alive', n: 7 })
})

test('malformed headers get a reply too, and close the connection of neither side', async () => {
  stack.use(await serve(nats, { echo: contract.echo }, { echo: working.echo }, { service: 'group', logger }))
  const malformed = (text: string) =>
    Object.assign(headers(), { encode: () => new TextEncoder().encode(`NATS/1.0\r\n${text}\r\n\r\n`) })
  const reply = await nats.core.request(contract.echo.subject, '{"text":""}', { headers: malformed('a b: c'), timeout: 5_000 })
  expect(reply.headers?.get('Error-Code')).toBe('VALIDATION_ERROR')
  const client = createClient(nats, contract)
  nats.core.subscribe(contract.write.subject, {
    callback: (_, message) => void message.respond('{}', { headers: malformed('a b: c') }),
  })
  await expect(client.write({ text: 'x' })).rejects.toThrow(code('INTERNAL_ERROR'))
  expect(await client.echo({ text: 'alive' })).toEqual({ text: 'alive', n: 7 })
})

test('each request is one line at INFO with its code and origin; what processes ask for themselves and pieces of files are at DEBUG', async () => {
  const lines: Record<string, unknown>[] = []
  const talking = createLogger({ name: 'group', level: 'debug', write: (line) => void lines.push(JSON.parse(line)) })
  const failing = { ...working, write: () => Promise.reject(new AppError('GROUP_NAME_EXISTS', 'what a user wrote')) }
  stack.use(await serve(nats, contract, failing, { service: 'group', verifier: undefined, logger: talking }))
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const client = createClient(nats, contract)
  const asked = client.as({ correlationId: 'c-1', traceparent })
  await asked.echo({ text: 'what a user wrote' })
  await expect(asked.write({ text: 'what a user wrote' })).rejects.toThrow(code('GROUP_NAME_EXISTS'))
  await asked.bytes({ text: 'what a user wrote', bytes: new Uint8Array(9) })
  await inRequest({ correlationId: 'c-2' }, () => client.echo({ text: 'of the current request' }))
  await client.echo({ text: 'of none' })
  const origin = { message: 'request', correlation_id: 'c-1', trace_id: 'a'.repeat(32), ms: expect.any(Number) }
  expect(lines).toMatchObject([
    { level: 'INFO', subject: contract.echo.subject, status: 200, ...origin },
    { level: 'INFO', subject: contract.write.subject, status: 400, code: 'GROUP_NAME_EXISTS', ...origin },
    { level: 'DEBUG', subject: contract.bytes.subject, ...origin },
    { level: 'INFO', subject: contract.echo.subject, correlation_id: 'c-2' },
    { level: 'DEBUG', subject: contract.echo.subject },
  ])
  expect(JSON.stringify(lines)).not.toContain('what a user wrote')
})

test('a declared error reaches the caller whole; any other becomes INTERNAL_ERROR and is logged with its cause but without the payload', async () => {
  await serving({
    echo: async () => {
      throw new AppError('GROUP_NOT_FOUND', 'No group\r\nhere', { retryAfter: 4, details: [{ field: 'id', message: 'ü' }] })
    },
    write: async ({ text }) => {
      throw Object.assign(new Error('disk gone', { cause: new Error('root cause') }), { detail: text })
    },
    brief: async () => {
      throw new AppError('LLM_ERROR', 'undeclared')
    },
  })
  const client = createClient(nats, contract)
  const declared = await client.echo({ text: '' }).catch((error: unknown) => error)
  expect(declared).toMatchObject({
    code: 'GROUP_NOT_FOUND',
    message: 'No group\r\nhere',
    retryAfter: 4,
    details: [{ field: 'id', message: 'ü' }],
  })
  const broken = client.as({ correlationId: 'find-me' }).write({ text: 'my secret diary' })
  await expect(broken).rejects.toMatchObject({ code: 'INTERNAL_ERROR', message: expect.stringContaining('find-me') })
  await expect(client.brief({ text: '' })).rejects.toThrow(code('INTERNAL_ERROR'))
  const log = logged.join()
  expect(log).toContain('disk gone')
  expect(log).toContain('root cause')
  expect(log).toContain('find-me')
  expect(log).toContain('undeclared')
  expect(log).not.toContain('secret diary')
})

test('a handler that throws before it returns a promise leads to a reply too', async () => {
  await serving({
    echo: () => {
      throw new Error('at once')
    },
  })
  await expect(createClient(nats, contract).echo({ text: '' })).rejects.toThrow(code('INTERNAL_ERROR'))
})

test('output that breaks the contract or exceeds the size limit is INTERNAL_ERROR', async () => {
  await serving({
    // @ts-expect-error -- a handler with a bug
    echo: async () => ({ text: 1 }),
    write: async () => ({ text: 'x'.repeat(LIMITS.wire) }),
    bytes: async ({ text }) => ({ text, bytes: new Uint8Array(LIMITS.wire) }),
  })
  const client = createClient(nats, contract)
  await expect(client.echo({ text: '' })).rejects.toThrow(code('INTERNAL_ERROR'))
  await expect(client.write({ text: '' })).rejects.toThrow(code('INTERNAL_ERROR'))
  await expect(client.bytes({ text: '', bytes: new Uint8Array(0) })).rejects.toThrow(code('INTERNAL_ERROR'))
})

test('a reply that breaks the contract is INTERNAL_ERROR', async () => {
  const replies: [string, string?][] = [
    ['{"text":1}'],
    ['{'],
    ['{"message":"m"}', 'LLM_ERROR'],
    ['nothing', 'CONFLICT'],
    ['{"message":"m"}', 'NO_SUCH_CODE'],
  ]
  nats.core.subscribe(contract.echo.subject, {
    callback: (_, message) => {
      const [body, errorCode] = replies.shift() ?? ['']
      const h = headers()
      if (errorCode) h.set('Error-Code', errorCode)
      message.respond(body, { headers: h })
    },
  })
  const client = createClient(nats, contract)
  for (let left = replies.length; left > 0; left -= 1)
    await expect(client.echo({ text: '' })).rejects.toThrow(code('INTERNAL_ERROR'))
})

test('a request over the size limit is refused by client and server', async () => {
  await serving()
  const text = 'x'.repeat(LIMITS.wire)
  await expect(createClient(nats, contract).echo({ text })).rejects.toThrow(code('PAYLOAD_TOO_LARGE'))
  const reply = await nats.core.request(contract.echo.subject, JSON.stringify({ text }), { timeout: 5_000 })
  expect(reply.headers?.get('Error-Code')).toBe('PAYLOAD_TOO_LARGE')
})

test('a request whose deadline has passed runs neither in client nor in server', async () => {
  let worked = 0
  await serving({ echo: async (input) => ((worked += 1), input) })
  await expect(
    createClient(nats, contract)
      .as({ deadline: Date.now() - 1 })
      .echo({ text: '' }),
  ).rejects.toThrow(code('DEADLINE_EXCEEDED'))
  const past = headers()
  past.set('Deadline', String(Date.now() - 1))
  const reply = await nats.core.request(contract.echo.subject, '{"text":""}', { headers: past, timeout: 5_000 })
  expect(reply.headers?.get('Error-Code')).toBe('DEADLINE_EXCEEDED')
  expect(worked).toBe(0)
})

test('the time left counts whatever the clocks say, unless the request waited on its way', async () => {
  const deadlines: number[] = []
  await serving({
    echo: async (input, { deadline }) => {
      expect(timeLeft()).toBeCloseTo(deadline - Date.now(), -2)
      deadlines.push(deadline)
      return input
    },
  })
  const send = async (sendersDeadline: number) => {
    const timed = headers()
    timed.set('Time-Left', '1500')
    timed.set('Deadline', String(sendersDeadline))
    const reply = await nats.core.request(contract.echo.subject, '{"text":""}', { headers: timed, timeout: 5_000 })
    return reply.headers?.get('Error-Code') ?? ''
  }
  const now = Date.now()
  expect(await send(now + 3_600_000)).toBe('')
  expect(await send(now - 500)).toBe('')
  expect(await send(now - 10_000)).toBe('DEADLINE_EXCEEDED')
  expect(deadlines).toHaveLength(2)
  for (const deadline of deadlines) expect(deadline).toBeLessThan(Date.now() + 1_500)
  expect(timeLeft()).toBe(Infinity)
})

test('when a write is not answered, the error says that its outcome is unknown; a read may simply be repeated', async () => {
  const silent = [contract.write.subject, contract.echo.subject].map((subject) =>
    nats.core.subscribe(subject, { callback: () => {} }),
  )
  const client = createClient(nats, contract)
  const messageOf = (call: Promise<unknown>) => call.catch((error: Error) => error.message)
  expect(await messageOf(client.echo({ text: '' }, { timeoutMs: 100 }))).toMatch(/; try again$/)
  expect(await messageOf(client.write({ text: '' }, { timeoutMs: 100 }))).toContain('whether it was done is unknown: look')
  const keyed = client.write({ text: '' }, { timeoutMs: 100, idempotencyKey: 'k' })
  expect(await messageOf(keyed)).toContain('repeat it with the same Idempotency-Key')
  for (const subscription of silent) subscription.unsubscribe()

  await serving({ write: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(_))) })
  const timed = headers()
  timed.set('Time-Left', '400')
  const late = await nats.core.request(contract.write.subject, '{"text":""}', { headers: timed, timeout: 10_000 })
  expect(late.string()).toMatch(/took too long; whether it was done is unknown/)
})

test('the deadline aborts the handler\u2019s signal, and the server replies although the handler still runs', async () => {
  const reasons: unknown[] = []
  await serving({
    brief: (input, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason)
          setTimeout(() => resolve(input), 100)
        })
      }),
  })
  const soon = headers()
  soon.set('Deadline', String(Date.now() + 200))
  const reply = await nats.core.request(contract.brief.subject, '{"text":""}', { headers: soon, timeout: 10_000 })
  expect(reply.headers?.get('Error-Code')).toBe('DEADLINE_EXCEEDED')
  expect(reasons).toEqual([code('DEADLINE_EXCEEDED')])
})

test('no reply is DEADLINE_EXCEEDED, no responders is SERVICE_UNAVAILABLE with retryAfter', async () => {
  nats.core.subscribe(contract.brief.subject, { callback: () => {} })
  const client = createClient(nats, contract)
  await expect(client.brief({ text: '' })).rejects.toThrow(code('DEADLINE_EXCEEDED'))
  await expect(client.echo({ text: '' })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  await expect(client.write({ text: '' })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
})

test('timeouts open the breaker of that kind of call; an absent service does not, so that it is usable as soon as it starts', async () => {
  const silent = nats.core.subscribe(contract.write.subject, { callback: () => {} })
  const client = createClient(nats, contract)
  const calls = Array.from({ length: 5 }, () => client.write({ text: '' }, { timeoutMs: 1_500 }).catch(() => {}))
  await Promise.all(calls)
  await expect(client.write({ text: '' })).rejects.toMatchObject({ code: 'CIRCUIT_OPEN', retryAfter: expect.any(Number) })
  silent.unsubscribe()
  const others = await serving()
  expect(await client.echo({ text: 'goes on', n: 1 })).toEqual({ text: 'goes on', n: 1 })
  await others[Symbol.asyncDispose]()

  const other = stack.adopt(await connectNats({ url: server.url, service: 'gateway', logger: silentLogger() }), closeNats)
  const away = createClient(other, contract)
  for (let n = 0; n < 6; n += 1) await expect(away.write({ text: '' })).rejects.toThrow(code('SERVICE_UNAVAILABLE'))
  await serving()
  expect(await away.write({ text: 'back' })).toEqual({ text: 'back' })
})

test('a deadline that the service itself reports and the errors of a caller open no breaker', async () => {
  const onTime = new AppError('DEADLINE_EXCEEDED', 'took too long')
  const wrong = new AppError('VALIDATION_ERROR', 'wrong')
  await serving({ write: ({ text }) => Promise.reject(text === 'late' ? onTime : wrong) })
  const client = createClient(nats, contract)
  for (let n = 0; n < 6; n += 1) await expect(client.write({ text: 'late' })).rejects.toThrow(code('DEADLINE_EXCEEDED'))
  for (let n = 0; n < 6; n += 1) await expect(client.write({ text: 'wrong' })).rejects.toThrow(code('VALIDATION_ERROR'))
})

test('an abort rejects the call with its reason', async () => {
  nats.core.subscribe(contract.echo.subject, { callback: () => {} })
  const stop = new AbortController()
  const call = createClient(nats, contract).as({ signal: stop.signal }).echo({ text: '' })
  stop.abort(new AppError('CONFLICT', 'enough'))
  await expect(call).rejects.toThrow(code('CONFLICT'))
  await expect(createClient(nats, contract).as({ signal: stop.signal }).echo({ text: '' })).rejects.toThrow(code('CONFLICT'))
})

test('requests beyond maxInFlight are refused with retryAfter', async () => {
  const gate = Promise.withResolvers<void>()
  await serving({ write: (input) => gate.promise.then(() => input) }, 2)
  const client = createClient(nats, contract)
  const running = [client.write({ text: 'a' }), client.write({ text: 'b' })]
  await expect(client.write({ text: 'c' })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  gate.resolve()
  expect(await Promise.all(running)).toEqual([{ text: 'a' }, { text: 'b' }])
  expect(await client.write({ text: 'd' })).toEqual({ text: 'd' })
})

test('a stopping server takes no more requests and waits for the running ones', async () => {
  const gate = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  const running = await serving({ write: (input) => (entered.resolve(), gate.promise.then(() => input)) })
  const client = createClient(nats, contract)
  const answer = client.write({ text: 'kept' })
  await entered.promise
  let stopped = false
  const stopping = running[Symbol.asyncDispose]().then(() => (stopped = true))
  await waitFor(
    () =>
      client.write({ text: '' }).then(
        () => false,
        () => true,
      ),
    { what: 'the service to take no more' },
  )
  expect(stopped).toBe(false)
  gate.resolve()
  expect(await answer).toEqual({ text: 'kept' })
  await stopping
})

test('a repeatable request is retried until a starting service serves it', async () => {
  const client = createClient(nats, contract)
  const answer = client.echo({ text: 'early' })
  await serving()
  expect(await answer).toEqual({ text: 'early', n: 7 })
})

test('when nats-server stops, pending requests reject at once', async () => {
  const other = stack.use(await testNats())
  const lone = stack.adopt(await connectNats({ url: other.url, service: 'group', logger: silentLogger() }), closeNats)
  lone.core.subscribe(contract.write.subject, { callback: () => {} })
  const { write } = createClient(lone, contract)
  const waiting = write({ text: '' }, { timeoutMs: 60_000 }).catch((error: unknown) => error)
  await lone.core.flush()
  await other.stop()
  expect(await waiting).toEqual(code('SERVICE_UNAVAILABLE'))
  await expect(write({ text: '' })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 1 })
  await expect(natsCheck(lone)()).rejects.toThrow(/check that nats-server runs/)
  await other.start()
  await waitFor(() => natsCheck(lone)().then(() => true), { what: 'the connection' })
})

test('a service serves again after a restart of nats-server', async () => {
  const other = stack.use(await testNats())
  const lone = stack.adopt(await connectNats({ url: other.url, service: 'group', logger: silentLogger() }), closeNats)
  stack.use(
    await serve(lone, { brief: contract.brief }, { brief: working.brief }, { service: 'group', verifier: undefined, logger }),
  )
  const client = createClient(lone, contract)
  expect(await client.brief({ text: 'before' })).toEqual({ text: 'before' })
  await other.stop()
  await other.start()
  expect(await waitFor(() => client.brief({ text: 'after' }), { what: 'an answer' })).toEqual({ text: 'after' })
})

test('`nats micro` lists the service with its endpoints', async () => {
  await serving()
  const services = []
  for await (const info of await nats.core.services.client().info('group')) services.push(info)
  expect(services[0]?.endpoints?.map(({ name, queue_group }) => [name, queue_group])).toEqual(
    Object.keys(contract).map((name) => [name, 'group']),
  )
})

test('the errors for wrong credentials and a missing server name the next step', async () => {
  const wrong = server.url.replace('test:test', 'test:wrong')
  await expect(connectNats({ url: wrong, service: 'group', logger: silentLogger() })).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: expect.stringMatching(/refused the user.*NATS__URL/),
  })
  await expect(connectNats({ url: 'nats://user:hunter2@:bad', service: 'group', logger: silentLogger() })).rejects.toMatchObject({
    message: expect.not.stringContaining('hunter2'),
  })
})

test('closing twice, and while the server is down, resolves', async () => {
  const other = stack.use(await testNats())
  const lone = await connectNats({ url: other.url, service: 'group', logger: silentLogger() })
  await other.stop()
  await waitFor(() => !lone.isUp, { what: 'the loss' })
  await closeNats(lone)
  await closeNats(lone)
  await expect(createClient(lone, contract).write({ text: '' })).rejects.toThrow(code('SERVICE_UNAVAILABLE'))
})

/** A logger that keeps its lines. */
function recordingLogger(lines: string[]): Logger {
  const keep = (...parts: unknown[]) => void lines.push(JSON.stringify(parts))
  return Object.assign(createLogger({ name: 'test', level: 'silent' }), {
    error: keep,
    warn: keep,
    fatal: keep,
    info: keep,
    debug: keep,
  })
}

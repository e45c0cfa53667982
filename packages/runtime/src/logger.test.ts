import { expect, test } from 'vitest'
import { inRequest } from './current-request.ts'
import { logServed } from './log-served.ts'
import { createLogger } from './logger.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const origin = { correlationId: 'c-1', traceparent: `00-${TRACE}-b7ad6b7169203331-01` }

function recorded(format: 'json' | 'text', level = 'debug') {
  const lines: string[] = []
  return { lines, logger: createLogger({ name: 'group', level, format, write: (line) => void lines.push(line) }) }
}
const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, unknown>)

test('a line is JSON with timestamp, level, logger and message, and says to which request it belongs', () => {
  const { lines, logger } = recorded('json')
  inRequest(origin, () => logger.warn({ token: 'never-logged', n: 1 }, 'half full'))
  logger.fatal('the end')
  expect(Object.keys(parsed(lines)[0] ?? {}).toSorted()).toEqual(
    ['timestamp', 'level', 'logger', 'message', 'correlation_id', 'trace_id', 'token', 'n'].toSorted(),
  )
  expect(parsed(lines)[0]).toMatchObject({
    level: 'WARNING',
    logger: 'group',
    message: 'half full',
    correlation_id: 'c-1',
    trace_id: TRACE,
  })
  expect(parsed(lines)[0]?.['timestamp']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  expect(parsed(lines)[1]).toMatchObject({ level: 'CRITICAL', message: 'the end' })
  expect(parsed(lines)[1]).not.toHaveProperty('correlation_id')
  expect(lines.join('')).not.toContain('never-logged')
})

test('an error in a line is bounded and has none of the fields that libraries add', () => {
  const { lines, logger } = recorded('json')
  const cause = Object.assign(new TypeError('x'.repeat(100_000)), { body: 'what a user wrote' })
  logger.error({ err: Object.assign(new Error('outer', { cause }), { code: 'LLM_ERROR', row: 'what a user wrote' }) }, 'failed')
  expect(parsed(lines)[0]).toMatchObject({
    err: { name: 'Error', message: 'outer', code: 'LLM_ERROR', cause: { name: 'TypeError' } },
  })
  expect(lines.join('')).not.toContain('what a user wrote')
  expect(lines.join('').length).toBeLessThan(12_000)
})

test('as text a line is for people: the fields on one line, an error below, nothing that acts on a terminal', () => {
  const { lines, logger } = recorded('text')
  logger.info(
    { subject: 'rpc.group.v1.group.get', status: 200, title: 'a b\u001b[2J\u202e', of: { n: 1 } },
    'request\u001b[31m\nforged',
  )
  logger.child({ service: 'auth' }).error({ err: new Error('outer', { cause: new TypeError('inner\u009b31m') }) }, 'failed')
  const [head = '', , ...frames] = (lines[1] ?? '').split('\n')
  expect(lines[0]).toMatch(
    /^\d{4}-\S+Z INFO group: request\[31m forged subject=rpc\.group\.v1\.group\.get status=200 title="a b\\u001b\[2J" of=\{"n":1\}\n$/,
  )
  expect(head).toMatch(/^\d{4}-\S+Z ERROR auth: failed$/)
  expect(frames.join('\n')).toMatch(/ {4}at .*\n {2}caused by\n {4}TypeError: inner31m\n {4}at /)
})

test('a request is one line at INFO with its code; probes and what processes ask for themselves are at DEBUG', () => {
  const { lines, logger } = recorded('json', 'info')
  const served = { ms: 1.234, user_id: 'u', isRoutine: false, ...origin }
  logServed(logger, { ...served, route: '/v1/groups/{group_id}', method: 'GET', status: 404, code: 'GROUP_NOT_FOUND' })
  logServed(logger, { ...served, subject: 'rpc.group.v1.group.get' })
  logServed(logger, { ...served, route: '/health/live', status: 200, isRoutine: true })
  logServed(logger, { ...served, route: '/health/ready', status: 503, isRoutine: true })
  logServed(logger, { ...served, route: '/metrics', status: 401, code: 'NOT_AUTHENTICATED', isRoutine: true })
  const ids = { correlation_id: 'c-1', trace_id: TRACE, user_id: 'u', ms: 1.2, level: 'INFO', message: 'request' }
  expect(parsed(lines)).toMatchObject([
    { route: '/v1/groups/{group_id}', method: 'GET', status: 404, code: 'GROUP_NOT_FOUND', ...ids },
    { subject: 'rpc.group.v1.group.get', status: 200, ...ids },
    { route: '/metrics', code: 'NOT_AUTHENTICATED', status: 401 },
  ])
  expect(lines).toHaveLength(3)
})

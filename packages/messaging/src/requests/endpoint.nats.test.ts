import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contract } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { group } from '@youworker/contracts/group'
import { LIMITS } from '@youworker/contracts/limits'
import { silentLogger } from '@youworker/runtime/logger'
import { testNats } from '@youworker/test-kit/nats'
import { waitFor } from '@youworker/test-kit/wait-for'
import { headers } from 'nats'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { closeNats, connectNats } from '../connection/connect.ts'
import { type CallContext, serve } from './server.ts'

const Text = z.object({ text: z.string() })
/** `text` names one of the handlers below. */
const contract = { run: { ...group.listGroups, auth: 'none', input: Text, output: Text } } as const satisfies Contract

type Output = z.input<typeof Text>
type Handler = (context: CallContext) => Promise<Output>

const good = (): Output => ({ text: 'good' })
const broken = (): Output => {
  throw new Error('a handler with a bug')
}
// @ts-expect-error -- a handler with a bug
const unlikeContract = (): Output => ({ text: 1 })
const tooLarge = (): Output => ({ text: 'x'.repeat(LIMITS.wire) })
const declared = (): Output => {
  throw new AppError('VALIDATION_ERROR', 'no')
}
const deadlineOf = ({ signal }: CallContext) => once(signal, 'abort')

/** The code of the reply that each handler must lead to; `none` is a result. */
const handlers: Record<string, [code: string, Handler]> = {
  resolves: ['none', async () => good()],
  rejects: ['INTERNAL_ERROR', async () => broken()],
  'throws before it returns a promise': ['INTERNAL_ERROR', () => broken() as never],
  'rejects with a declared error': ['VALIDATION_ERROR', async () => declared()],
  'breaks its contract': ['INTERNAL_ERROR', async () => unlikeContract()],
  'returns too much': ['INTERNAL_ERROR', async () => tooLarge()],
  'resolves inside the abort': [
    'DEADLINE_EXCEEDED',
    ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(good()))),
  ],
  'resolves right after the abort': ['DEADLINE_EXCEEDED', (context) => deadlineOf(context).then(good)],
  'rejects with the reason of the abort': [
    'DEADLINE_EXCEEDED',
    (context) => deadlineOf(context).then(() => Promise.reject(context.signal.reason)),
  ],
  'breaks its contract right after the abort': ['DEADLINE_EXCEEDED', (context) => deadlineOf(context).then(unlikeContract)],
  'resolves after the deadline': ['DEADLINE_EXCEEDED', (context) => deadlineOf(context).then(() => sleep(50, good()))],
  'throws after the deadline': [
    'DEADLINE_EXCEEDED',
    (context) =>
      deadlineOf(context)
        .then(() => sleep(50))
        .then(broken),
  ],
  'returns too much after the deadline': [
    'DEADLINE_EXCEEDED',
    (context) =>
      deadlineOf(context)
        .then(() => sleep(50))
        .then(tooLarge),
  ],
}
function deadlineIn(ms: number) {
  const deadline = headers()
  deadline.set('Deadline', String(Date.now() + ms))
  return deadline
}
/** Their end races with the deadline, so either reply is right. */
const racing = Array.from({ length: 200 }, (_, n) => `races ${n}`)

test('a request gets exactly one reply, whatever its handler does and whenever', async () => {
  await using server = await testNats()
  const logger = silentLogger()
  const connect = () => connectNats({ url: server.url, service: 'group', logger })
  await using stack = new AsyncDisposableStack()
  const { core } = stack.adopt(await connect(), closeNats)
  await using serving = new AsyncDisposableStack()
  const nats = serving.adopt(await connect(), closeNats)
  const run = ({ text }: Output, context: CallContext) => {
    const [, handle] = handlers[text] ?? ['', async ({ deadline }) => sleep(deadline - Date.now(), good())]
    return handle(context)
  }
  serving.use(await serve(nats, contract, { run }, { service: 'group', verifier: undefined, logger }))

  const codes = new Map<string, string[]>()
  const inbox = '_INBOX.group.replies'
  core.subscribe(`${inbox}.*`, {
    callback: (_, { subject, headers: got }) => codes.get(subject)?.push(got?.get('Error-Code') || 'none'),
  })
  const names = [...Object.keys(handlers), ...racing]
  const [soon, late] = [deadlineIn(500), deadlineIn(60_000)]
  for (const [n, text] of names.entries()) {
    const reply = `${inbox}.${n}`
    codes.set(reply, [])
    core.publish(contract.run.subject, JSON.stringify({ text }), {
      reply,
      // Handlers that end by themselves have time, also on a busy machine.
      headers: handlers[text] && handlers[text][0] !== 'DEADLINE_EXCEEDED' ? late : soon,
    })
  }
  await waitFor(() => [...codes.values()].every(({ length }) => length > 0), { what: 'the replies' })
  // Waits for the handlers that still run, and for what they send.
  await serving.disposeAsync()
  await core.flush()
  const repliesOf = new Map(names.map((name, n) => [name, codes.get(`${inbox}.${n}`)]))
  for (const [name, [code]] of Object.entries(handlers)) expect([name, ...(repliesOf.get(name) ?? [])]).toEqual([name, code])
  for (const name of racing) expect(repliesOf.get(name), name).toHaveLength(1)
})

import { newId } from '@youworker/runtime/id'
import type { CallContext, Caller, UserContext } from './context.ts'

/** What `serve` hands to a handler, for tests that call services directly. */
export const testCaller = (user_id: string, change: Partial<Caller> = {}): Caller => ({
  user_id,
  sid: user_id,
  is_root: false,
  scopes: ['*'],
  aud: 'api',
  token: `token-of-${user_id}`,
  ...change,
})

export const testCallContext = (change: Partial<CallContext> = {}): CallContext => ({
  correlationId: newId(),
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  client: undefined,
  deadline: Date.now() + 60_000,
  signal: new AbortController().signal,
  idempotencyKey: undefined,
  ...change,
})

export const testUserContext = (user_id: string, change: Partial<UserContext> = {}): UserContext => ({
  ...testCallContext(),
  caller: testCaller(user_id),
  ...change,
})

import { ApiKey, auth as contract, NewApiKey } from '@youworker/contracts/auth'
import { Page } from '@youworker/contracts/common'
import { newApiKey, sha256Hex } from '@youworker/runtime/secret'
import { retry } from '@youworker/runtime/timing/retry'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'
import type { Authenticator } from '../../http/guards/authenticate.ts'
import type { RequestContext } from '../../http/request-context.ts'

type Deps = Pick<Clients, 'auth'>

const read = { tag: 'account', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'account', auth: 'required', csrf: 'required', limit: 'default' } as const

/**
 * Ends the old key once the answer with the new one is out. When that never happens, because a process or connection died before, the
 * old key works on; when only this step fails, the first use of the new key does it.
 */
function finishWhenSent(
  key_id: string,
  context: RequestContext,
  { auth, authenticator }: Deps & { authenticator: Authenticator },
) {
  const finish = async () => auth.as(await context.renewedScope(authenticator)).finishRotation({ key_id })
  context.outgoing.once('finish', () => void retry(finish, { attempts: 5, baseMs: 200 }).catch(() => {}))
}

/** The caller's own API keys. */
export const accountRoutes = [
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/account/api-key/rotate',
    operation: 'rotateApiKey',
    summary:
      'Replace the API key that the caller uses or signed in with, else the one of the account; the new one is shown once, and the old one ends when this answer was sent',
    limit: 'rotation',
    holdsSecret: true,
    answer: z.object({ api_key: z.string() }),
    errors: contract.rotateApiKey.errors,
    async handle({ context }, deps: Deps & { readonly authenticator: Authenticator }) {
      const api_key = newApiKey()
      const { id } = await deps.auth.as(context.scope).rotateApiKey({ api_key_sha256: sha256Hex(api_key) })
      finishWhenSent(id, context, deps)
      return { api_key }
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/account/api-keys',
    operation: 'listApiKeys',
    summary: "The caller's API keys, without the keys themselves",
    query: Page,
    answer: contract.listApiKeys.output,
    handle: ({ query, context }, { auth }: Deps) => auth.as(context.scope).listApiKeys(query),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/account/api-keys',
    operation: 'createApiKey',
    summary: 'Create an API key, limited by scopes and expiry if given; it is shown once',
    body: NewApiKey,
    status: 201,
    holdsSecret: true,
    answer: ApiKey.extend({ api_key: z.string() }),
    errors: contract.createApiKey.errors,
    async handle({ body, context }, { auth }: Deps) {
      const api_key = newApiKey()
      const made = await auth.as(context.scope).createApiKey({ ...body, api_key_sha256: sha256Hex(api_key) }, context.idempotency)
      return { ...made, api_key }
    },
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: '/v1/account/api-keys/{key_id}',
    operation: 'revokeApiKey',
    summary: 'End an API key with its sessions, streams and runs',
    params: contract.revokeApiKey.input,
    status: 204,
    errors: contract.revokeApiKey.errors,
    async handle({ params, context }, { auth }: Deps) {
      await auth.as(context.scope).revokeApiKey(params)
    },
  }),
]

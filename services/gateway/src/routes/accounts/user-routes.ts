import { Account, AccountChanges, AccountState, auth as contract, Password, Username } from '@youworker/contracts/auth'
import { CursorPage } from '@youworker/contracts/common'
import { encryptForAuth } from '@youworker/messaging/tokens/encrypt-for-auth'
import { newApiKey, sha256Hex } from '@youworker/runtime/secret'
import { z } from 'zod'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'

const NewAccount = z.object({
  username: Username,
  email: AccountChanges.shape.email,
  is_root: z.boolean().default(false),
  password: Password.optional(),
})
const UserPath = contract.getUser.input

type Deps = Pick<Clients, 'auth'>

const read = { tag: 'admin', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'admin', auth: 'required', csrf: 'required', limit: 'default' } as const
const ONE = '/v1/admin/users/{user_id}'

/** Accounts, for root. */
export const userRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: '/v1/admin/users',
    operation: 'listUsers',
    summary: 'All accounts (root)',
    query: CursorPage,
    answer: contract.listUsers.output,
    handle: ({ query, context }, { auth }: Deps) => auth.as(context.scope).listUsers(query),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: '/v1/admin/users',
    operation: 'createUser',
    summary: 'Create an account (root); its API key is shown once',
    body: NewAccount,
    status: 201,
    holdsSecret: true,
    answer: Account.extend({ api_key: z.string() }),
    errors: contract.createUser.errors,
    async handle({ body: { password, ...account }, context }, { auth }: Deps) {
      const api_key = newApiKey()
      const password_jwe = password === undefined ? undefined : await encryptForAuth(auth.as(context.scope), password)
      const request = { ...account, password_jwe, api_key_sha256: sha256Hex(api_key) }
      return { ...(await auth.as(context.scope).createUser(request, context.idempotency)), api_key }
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: ONE,
    operation: 'getUser',
    summary: 'One account, or how far the erasure of a deleted one is (root)',
    params: UserPath,
    answer: AccountState,
    errors: contract.getUser.errors,
    handle: ({ params, context }, { auth }: Deps) => auth.as(context.scope).getUser(params),
  }),
  defineRoute({
    ...write,
    method: 'PATCH',
    path: ONE,
    operation: 'updateUser',
    summary: 'Rename, suspend or resume a user, or make them root (root)',
    params: UserPath,
    body: AccountChanges,
    answer: Account,
    errors: contract.updateUser.errors,
    handle: ({ params, body, context }, { auth }: Deps) => auth.as(context.scope).updateUser({ ...params, ...body }),
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: ONE,
    operation: 'deleteUser',
    summary: 'End the account at once and erase what is of the user alone; GET tells when that is done (root)',
    params: UserPath,
    status: 204,
    errors: contract.deleteUser.errors,
    async handle({ params, context }, { auth }: Deps) {
      await auth.as(context.scope).deleteUser(params)
    },
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: `${ONE}/sign-out`,
    operation: 'signOutUser',
    summary: 'End all sessions of a user, and what they stream and run at the moment; API keys stay (root)',
    params: UserPath,
    status: 204,
    errors: contract.signOutUser.errors,
    async handle({ params, context }, { auth }: Deps) {
      await auth.as(context.scope).signOutUser(params)
    },
  }),
]

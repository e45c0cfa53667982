import { auth } from '@youworker/contracts/auth'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'

export const adminRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/admin/users',
    tag: 'admin',
    summary: 'Create an account (root); its API key is shown once',
    auth: 'required',
    csrf: 'required',
    limit: 'default',
    body: auth.createUser.input,
    status: 201,
    answer: auth.createUser.output,
    errors: auth.createUser.errors,
    handle: ({ body, context }, { auth: client }: Pick<Clients, 'auth'>) =>
      client.as(context.scope).createUser(body, context.idempotency),
  }),
]

import { ModelBackend, ModelBackendChanges, NewModelBackend } from '@youworker/contracts/agent/model-backends'
import { chatAgent as contract } from '@youworker/contracts/chat-agent'
import type { Client } from '@youworker/messaging/requests/client'
import { encryptForKey } from '@youworker/messaging/tokens/transport-keys'
import type { Clients } from '../../clients.ts'
import { defineRoute } from '../../http/define-route.ts'

const BackendPath = contract.getModelBackend.input

type Deps = Pick<Clients, 'chatAgent'>

const read = { tag: 'admin', auth: 'required', csrf: 'none', limit: 'default' } as const
const write = { tag: 'admin', auth: 'required', csrf: 'required', limit: 'default' } as const
const ALL = '/v1/admin/models/backends'
const ONE = `${ALL}/{backend_id}`

/** No message shows it. `null` and `undefined` mean what they mean for the key. */
async function encryptKey(
  agent: Pick<Client<typeof contract>, 'getTransportKey'>,
  key: string | null | undefined,
): Promise<string | null | undefined> {
  return key == null ? key : encryptForKey(await agent.getTransportKey({}), key)
}

/** The servers of models, for root. */
export const modelBackendRoutes = [
  defineRoute({
    ...read,
    method: 'GET',
    path: ALL,
    operation: 'listModelBackends',
    summary: 'The model servers and whether they answer (root)',
    answer: contract.listModelBackends.output,
    handle: ({ context }, { chatAgent }: Deps) => chatAgent.as(context.scope).listModelBackends({}),
  }),
  defineRoute({
    ...write,
    method: 'POST',
    path: ALL,
    operation: 'createModelBackend',
    summary: 'Add a model server (root); its key is never shown again',
    body: NewModelBackend,
    status: 201,
    answer: ModelBackend,
    errors: contract.createModelBackend.errors,
    async handle({ body: { api_key, ...backend }, context }, { chatAgent }: Deps) {
      const agent = chatAgent.as(context.scope)
      const api_key_jwe = await encryptKey(agent, api_key)
      return agent.createModelBackend({ ...backend, api_key_jwe }, context.idempotency)
    },
  }),
  defineRoute({
    ...read,
    method: 'GET',
    path: ONE,
    operation: 'getModelBackend',
    summary: 'One model server (root)',
    params: BackendPath,
    answer: ModelBackend,
    errors: contract.getModelBackend.errors,
    handle: ({ params, context }, { chatAgent }: Deps) => chatAgent.as(context.scope).getModelBackend(params),
  }),
  defineRoute({
    ...write,
    method: 'PATCH',
    path: ONE,
    operation: 'updateModelBackend',
    summary: 'Change a model server, or switch it off (root); runs use it from their next call of a model on',
    params: BackendPath,
    body: ModelBackendChanges,
    answer: ModelBackend,
    errors: contract.updateModelBackend.errors,
    async handle({ params, body: { api_key, ...changes }, context }, { chatAgent }: Deps) {
      const agent = chatAgent.as(context.scope)
      const api_key_jwe = await encryptKey(agent, api_key)
      return agent.updateModelBackend({ ...params, ...changes, api_key_jwe })
    },
  }),
  defineRoute({
    ...write,
    method: 'DELETE',
    path: ONE,
    operation: 'deleteModelBackend',
    summary: 'Forget a model server (root); one of the settings can only be switched off',
    params: BackendPath,
    status: 204,
    errors: contract.deleteModelBackend.errors,
    async handle({ params, context }, { chatAgent }: Deps) {
      await chatAgent.as(context.scope).deleteModelBackend(params)
    },
  }),
]

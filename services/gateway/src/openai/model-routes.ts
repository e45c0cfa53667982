import { Model } from '@youworker/contracts/agent/model'
import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'
import { AGENT_MODEL } from '../protocols/agent-model.ts'

const ListedModel = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.number().int(),
    owned_by: z.string(),
    ...Model.pick({ size: true, capabilities: true, loaded: true }).partial().shape,
  })
  .meta({ id: 'Model' })
type ListedModel = z.output<typeof ListedModel>

const AGENT: ListedModel = { id: AGENT_MODEL, object: 'model', created: 0, owned_by: 'youworker' }

type Deps = Pick<Clients, 'chatAgent'>

/** The agent, and the models themselves while their server answers. */
async function modelsOf(context: RequestContext, { chatAgent }: Deps): Promise<ListedModel[]> {
  const { models } = await chatAgent
    .as(context.scope)
    .listModels({})
    .catch((error: unknown) => {
      if (error instanceof AppError && error.code !== 'NOT_AUTHENTICATED') return { models: [] }
      throw error
    })
  // The agent's name is taken, also where the model server is another YouWorker.
  const others = models.filter(({ id }) => id !== AGENT_MODEL)
  const own = others.map(({ id, created_at, ...more }): ListedModel => {
    return { id, object: 'model', created: Math.floor(Date.parse(created_at) / 1_000), owned_by: 'library', ...more }
  })
  return [AGENT, ...own]
}

const read = { method: 'GET', tag: 'openai', auth: 'required', scopes: ['chat'], csrf: 'none', limit: 'default' } as const

export const modelRoutes = [
  defineRoute({
    ...read,
    path: '/v1/models',
    operation: 'listModels',
    summary: 'What answers: the agent, and each model itself',
    answer: z.object({ object: z.literal('list'), data: z.array(ListedModel) }),
    handle: async ({ context }, deps: Deps) => ({ object: 'list' as const, data: await modelsOf(context, deps) }),
  }),
  defineRoute({
    ...read,
    path: '/v1/models/{model}',
    operation: 'getModel',
    summary: 'One of them',
    params: z.object({ model: z.string().min(1).max(128) }),
    answer: ListedModel,
    errors: ['ROUTE_NOT_FOUND'],
    async handle({ params, context }, deps: Deps) {
      const found = (await modelsOf(context, deps)).find(({ id }) => id === params.model)
      if (found) return found
      throw new AppError('ROUTE_NOT_FOUND', 'There is no such model; GET /v1/models lists them')
    },
  }),
]

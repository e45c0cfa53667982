import { CursorPage, listed } from '@youworker/contracts/common'
import { Erasure, ErasureFilter } from '@youworker/contracts/erasures'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import { type ListOwner, mergeLists } from './merge-lists.ts'

type Deps = Pick<Clients, 'chatAgent' | 'group' | 'ingestion'>
type Ask = (page: CursorPage) => Promise<{ erasures: Erasure[]; total: number }>

const owner = (name: string, ask: Ask): ListOwner<Erasure> => ({
  name,
  async list(page) {
    const { erasures: rows, ...rest } = await ask(page)
    return { rows, ...rest }
  },
})

export const erasureRoutes = [
  defineRoute({
    tag: 'account',
    auth: 'required',
    csrf: 'none',
    limit: 'default',
    method: 'GET',
    path: '/v1/erasures',
    operation: 'listErasures',
    summary: 'Receipts of what was erased, for who had it and who deleted it: what was removed where, and verified when',
    query: CursorPage.extend({ ...ErasureFilter.shape, offset: z.coerce.number().int().min(0).max(10_000).default(0) }),
    answer: z.object({ erasures: z.array(Erasure), ...listed, incomplete: z.array(z.string()).optional() }),
    async handle({ query: { kind, target_id, ...page }, context }, { chatAgent, group, ingestion }: Deps) {
      const filter = { kind, target_id }
      const owners = [
        owner('chat-agent', (part) => chatAgent.as(context.scope).listErasures({ ...filter, ...part })),
        owner('group', (part) => group.as(context.scope).listErasures({ ...filter, ...part })),
        owner('ingestion', (part) => ingestion.as(context.scope).listErasures({ ...filter, ...part })),
      ]
      const { rows: erasures, ...rest } = await mergeLists(owners, page, ({ erased_at }) => erased_at)
      return { erasures, ...rest }
    },
  }),
]

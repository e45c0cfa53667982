import { Days, Overview } from '@youworker/contracts/analytics'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'

export const analyticsRoutes = [
  defineRoute({
    method: 'GET',
    path: '/v1/analytics/overview',
    tag: 'analytics',
    summary: "The caller's own figures",
    auth: 'required',
    csrf: 'none',
    limit: 'default',
    query: Days,
    answer: Overview,
    handle: ({ query, context }, { analytics }: Pick<Clients, 'analytics'>) => analytics.as(context.scope).getOverview(query),
  }),
]

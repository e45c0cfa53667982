import { postgresUrl, natsUrl } from '@youworker/runtime/process/config'
import { z } from 'zod'

export type Schemas = Awaited<ReturnType<typeof loadSchemas>>

/** Settings that only the start reads. With DATABASE__URL alone, its user has to be an administrator. */
export const START_ENV = z.object({
  DATABASE__ADMIN_URL: postgresUrl.optional().meta({ secret: true }),
  DATABASE__URL: postgresUrl.optional().meta({ secret: true }),
  NATS__URL: natsUrl.optional().meta({ secret: true }),
})

/** The schema of the settings of each process. */
export async function loadSchemas() {
  const [gateway, auth, group, chatAgent, ingestion, analytics, tools, model] = await Promise.all([
    import('@youworker/gateway/config'),
    import('@youworker/auth/config'),
    import('@youworker/group/config'),
    import('@youworker/chat-agent/config'),
    import('@youworker/ingestion/config'),
    import('@youworker/analytics/config'),
    import('@youworker/tools/config'),
    import('@youworker/offline-model/config'),
  ])
  return {
    gateway: gateway.Env,
    auth: auth.Env,
    group: group.Env,
    'chat-agent': chatAgent.Env,
    ingestion: ingestion.Env,
    analytics: analytics.Env,
    tools: tools.Env,
    'offline-model': model.Env,
  }
}

/** Every name that one of them reads. */
export const namesIn = (schemas: Schemas): ReadonlySet<string> =>
  new Set([...Object.values(schemas), START_ENV].flatMap(({ shape }) => Object.keys(shape)))

import type { SERVICES, ServiceName } from '@youworker/contracts/topology/topology'
import { type processEnv, readEnv } from '@youworker/runtime/process/config'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { z } from 'zod'

export type Environments = Readonly<Record<ServiceName, NodeJS.ProcessEnv>>
export type StartService = (env: NodeJS.ProcessEnv, context: ServiceContext) => Promise<Service>

/** Starts a service as its main.ts does, but in this process. Imports are dynamic, so that only started services are loaded. */
export const START: Readonly<Record<(typeof SERVICES)[number], StartService>> = {
  gateway: async (env, context) => {
    const [{ startGateway }, { Env }] = await Promise.all([import('@youworker/gateway/app'), import('@youworker/gateway/config')])
    return start(Env, startGateway, env, context)
  },
  auth: async (env, context) => {
    const [{ startAuth }, { Env }] = await Promise.all([import('@youworker/auth/app'), import('@youworker/auth/config')])
    return start(Env, startAuth, env, context)
  },
  group: async (env, context) => {
    const [{ startGroup }, { Env }] = await Promise.all([import('@youworker/group/app'), import('@youworker/group/config')])
    return start(Env, startGroup, env, context)
  },
  'chat-agent': async (env, context) => {
    const [{ startChatAgent }, { Env }] = await Promise.all([
      import('@youworker/chat-agent/app'),
      import('@youworker/chat-agent/config'),
    ])
    return start(Env, startChatAgent, env, context)
  },
  ingestion: async (env, context) => {
    const [{ startIngestion }, { Env }] = await Promise.all([
      import('@youworker/ingestion/app'),
      import('@youworker/ingestion/config'),
    ])
    return start(Env, startIngestion, env, context)
  },
  analytics: async (env, context) => {
    const [{ startAnalytics }, { Env }] = await Promise.all([
      import('@youworker/analytics/app'),
      import('@youworker/analytics/config'),
    ])
    return start(Env, startAnalytics, env, context)
  },
  tools: async (env, context) => {
    const [{ startTools }, { Env }] = await Promise.all([import('@youworker/tools/app'), import('@youworker/tools/config')])
    return start(Env, startTools, env, context)
  },
}

function start<S extends z.ZodObject<typeof processEnv>>(
  schema: S,
  run: (config: Readonly<z.output<S>>, context: ServiceContext) => Promise<Service>,
  env: NodeJS.ProcessEnv,
  context: ServiceContext,
): Promise<Service> {
  return run(readEnv(schema, env), context)
}

/** Starts all services in this process, each with its own environment. When one fails, stops the others and throws its error. */
export async function startServices(
  environments: Environments,
  { logger, ...context }: ServiceContext,
): Promise<Record<ServiceName, Service>> {
  const names = Object.keys(START) as ServiceName[]
  const contextOf = (service: ServiceName) => ({ ...context, logger: logger.child({ service }) })
  const outcomes = await Promise.allSettled(
    names.map(async (name) => [name, await START[name](environments[name], contextOf(name))] as const),
  )
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) {
    await Promise.allSettled(started.map(([, service]) => service[Symbol.asyncDispose]()))
    throw failed.reason
  }
  return Object.fromEntries(started) as Record<ServiceName, Service>
}

/** Stops the gateway first, so that no new requests come in while the other services finish theirs. */
export async function stopServices(services: Readonly<Record<ServiceName, Service>>): Promise<void> {
  const { gateway, ...others } = services
  await gateway[Symbol.asyncDispose]()
  await Promise.allSettled(Object.values(others).map((service) => service[Symbol.asyncDispose]()))
}

import { analytics } from '@youworker/contracts/analytics'
import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import { type ComponentHealth, healthContract } from '@youworker/contracts/health'
import { ingestion } from '@youworker/contracts/ingestion'
import { type ServiceName, SERVICES } from '@youworker/contracts/topology/topology'
import type { NatsConnection } from '@youworker/messaging/connection/connect'
import { createClient } from '@youworker/messaging/requests/client'

/** Clients of the other services; `client.as(context.scope)` calls in the caller's name. */
export const createClients = (nats: NatsConnection) => ({
  auth: createClient(nats, auth),
  group: createClient(nats, group),
  chatAgent: createClient(nats, chatAgent),
  ingestion: createClient(nats, ingestion),
  analytics: createClient(nats, analytics),
})
export type Clients = Readonly<ReturnType<typeof createClients>>

/** Reports the health of one service and of what it depends on. */
export type AskHealth = (service: ServiceName) => Promise<readonly ComponentHealth[]>

export function createAskHealth(nats: NatsConnection): AskHealth {
  const clients = new Map(SERVICES.map((service) => [service, createClient(nats, healthContract(service))]))
  return async (service) => (await clients.get(service)?.checkHealth({}))?.components ?? []
}

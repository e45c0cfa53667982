import type { analytics } from '@youworker/contracts/analytics'
import type { auth } from '@youworker/contracts/auth'
import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { Contract } from '@youworker/contracts/define'
import type { group } from '@youworker/contracts/group'
import type { ComponentHealth } from '@youworker/contracts/health'
import type { ingestion } from '@youworker/contracts/ingestion'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import type { CallScope, Client } from '@youworker/messaging/requests/client'
import type { NatsConnection } from '@youworker/messaging/connection/connect'
import type { Logger } from '@youworker/runtime/logger'
import type { HealthCheck } from '@youworker/runtime/service'
import type { Config } from '../config.ts'
import type { AddressList } from './guards/client-address.ts'
import type { Authenticator } from './guards/authenticate.ts'
import type { Csrf } from './guards/csrf.ts'
import type { RateLimiter } from './guards/rate-limit.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import type { RunFinishes } from '../streams/run-finishes.ts'

type ScopedClient<C extends Contract> = Client<C> & { as(scope: CallScope): Client<C> }

/** What routes work with: made once in app.ts. */
export interface Deps {
  readonly config: Config
  readonly logger: Logger
  readonly nats: NatsConnection
  readonly auth: ScopedClient<typeof auth>
  readonly group: ScopedClient<typeof group>
  readonly chatAgent: ScopedClient<typeof chatAgent>
  readonly ingestion: ScopedClient<typeof ingestion>
  readonly analytics: ScopedClient<typeof analytics>
  /** Asks one service how it and its dependencies are. */
  readonly askHealth: (service: ServiceName) => Promise<readonly ComponentHealth[]>
  /** The gateway's own. */
  readonly checks: Readonly<Record<string, HealthCheck>>
  readonly authenticator: Authenticator
  readonly csrf: Csrf
  readonly limiter: RateLimiter
  readonly streams: OpenStreams
  readonly finishes: RunFinishes
  readonly origins: ReadonlySet<string>
  readonly proxies: AddressList
  readonly allowList: AddressList
  readonly isProduction: boolean
}

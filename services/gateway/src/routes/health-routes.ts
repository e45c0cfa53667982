import type { ComponentHealth } from '@youworker/contracts/health'
import { AppError } from '@youworker/contracts/errors'
import type { Scope } from '@youworker/contracts/scopes'
import { SERVICES } from '@youworker/contracts/topology/topology'
import type { ReplicaReadiness, MetricsTarget } from '@youworker/messaging/live/readiness'
import { renderMetrics } from '@youworker/runtime/health/metrics'
import type { Readiness } from '@youworker/runtime/health/readiness'
import { z } from 'zod'
import type { AskHealth } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import { notAuthenticated } from '../http/guards/authenticate.ts'
import { type AddressList, isPeer } from '../http/guards/client-address.ts'
import type { TrustedProxies } from '../http/guards/trusted-proxies.ts'
import { Reply } from '../http/answers/reply.ts'
import type { RequestContext } from '../http/request-context.ts'

const State = z.enum(['ok', 'degraded', 'down'])
type State = z.infer<typeof State>
const Component = z.object({ status: State, latency_ms: z.number(), message: z.string().optional() })
/** What everybody may know. */
const Health = z.object({ status: State, timestamp: z.iso.datetime() }).meta({ id: 'Health' })
const DetailedHealth = z
  .object({
    ...Health.shape,
    components: z.record(z.string(), Component.extend({ dependencies: z.record(z.string(), Component).optional() })),
    /** What an operator should change although everything runs. */
    hints: z.array(z.string()).optional(),
  })
  .meta({ id: 'DetailedHealth' })
/** For everybody: no addresses, no reasons. */
const Ready = z.object({
  status: z.enum(['ok', 'down']),
  timestamp: z.iso.datetime(),
  components: z.record(z.string(), z.object({ status: State })),
})
/** https://prometheus.io/docs/prometheus/latest/http_sd/ */
const Target = z.object({ targets: z.array(z.string()), labels: z.object({ service: z.string() }) }).meta({ id: 'MetricsTarget' })
type Components = z.input<typeof DetailedHealth>['components']

const now = () => new Date().toISOString()

/** `down` only when all are: while the rest works the whole is degraded. */
function overall(states: readonly State[]): State {
  if (states.length > 0 && states.every((state) => state === 'down')) return 'down'
  return states.every((state) => state === 'ok') ? 'ok' : 'degraded'
}

const byName = (components: readonly ComponentHealth[]) => Object.fromEntries(components.map(({ name, ...rest }) => [name, rest]))

interface Own {
  readonly readiness: Readiness
}

interface OpsDeps {
  /** Who reads health and metrics without a credential. */
  readonly opsPeers: AddressList
  readonly proxies: TrustedProxies
}

/** Addresses of servers and figures of the whole installation: for root, a key with the scope `ops` and listed peers. */
function requireOps({ incoming, identity }: RequestContext, { opsPeers, proxies }: OpsDeps): void {
  if (isPeer(incoming, opsPeers, proxies.list)) return
  if (!identity) throw notAuthenticated()
  const { is_root, scopes } = identity.caller
  if (is_root || scopes.includes('ops' satisfies Scope)) return
  throw new AppError(
    'NOT_AUTHORIZED',
    'Only root may read this, a key of root with the scope ops, or a peer in SECURITY__OPS_PEERS',
  )
}

async function serviceHealth(service: (typeof SERVICES)[number], askHealth: AskHealth): Promise<Components[string]> {
  const started = performance.now()
  const latency = () => Math.round((performance.now() - started) * 10) / 10
  try {
    const components = await askHealth(service)
    const status = overall(components.map((component) => component.status))
    return { status: status === 'down' ? 'degraded' : status, latency_ms: latency(), dependencies: byName(components) }
  } catch (error) {
    return { status: 'down', latency_ms: latency(), message: error instanceof AppError ? error.message : 'does not answer' }
  }
}

interface DetailedDeps extends OpsDeps {
  readonly askHealth: AskHealth
}

const common = { method: 'GET', tag: 'health', auth: 'none', csrf: 'none', limit: 'none' } as const
const ops = { ...common, auth: 'optional', scopes: ['ops'] } as const
const Live = z.object({ status: z.string() })

export const healthRoutes = [
  defineRoute({
    ...common,
    path: '/health',
    aliases: ['/v1/health'],
    operation: 'getHealth',
    summary: 'Whether the gateway and what it cannot do without are ok, degraded or down',
    answer: Health,
    handle(_, { readiness: { isReady, components } }: Own) {
      const status = isReady ? overall(components.map((component) => component.status)) : 'down'
      return Promise.resolve({ status, timestamp: now() })
    },
  }),
  defineRoute({
    ...ops,
    // One request here makes seven requests to services.
    limit: 'default',
    path: '/health/detailed',
    aliases: ['/v1/health/detailed'],
    operation: 'getDetailedHealth',
    summary: 'Every service and what it depends on, asked in parallel, 2 s each (root, scope ops, listed peers)',
    answer: DetailedHealth,
    async handle({ context }, { askHealth, ...deps }: DetailedDeps) {
      requireOps(context, deps)
      const asked = SERVICES.map(async (service) => [service, await serviceHealth(service, askHealth)] as const)
      const components: Components = Object.fromEntries(await Promise.all(asked))
      const status = overall(Object.values(components).map((component) => component.status))
      const { hint } = deps.proxies
      const hints = hint === undefined ? {} : { hints: [hint] }
      return { status, timestamp: now(), components, ...hints }
    },
  }),
  defineRoute({
    ...common,
    path: '/health/live',
    aliases: ['/v1/health/live'],
    operation: 'getLiveness',
    summary: 'The process runs',
    answer: Live,
    handle: () => Promise.resolve({ status: 'ok' }),
  }),
  defineRoute({
    ...common,
    path: '/health/ready',
    aliases: ['/v1/health/ready'],
    operation: 'getReadiness',
    summary: '503 while requests cannot be served',
    answer: Ready,
    async handle(_, { readiness: { isReady, components } }: Own) {
      const states = components.map(({ name, status }) => [name, { status }] as const)
      const body = { status: isReady ? 'ok' : 'down', timestamp: now(), components: Object.fromEntries(states) }
      return new Reply(isReady ? 200 : 503, body, isReady ? {} : { 'retry-after': '1' })
    },
  }),
  defineRoute({
    ...ops,
    path: '/metrics',
    operation: 'getMetrics',
    summary: 'Prometheus figures of this gateway (root, scope ops, listed peers)',
    media: 'text/plain',
    async handle({ context }, deps: OpsDeps) {
      requireOps(context, deps)
      const { contentType, body } = await renderMetrics()
      return new Reply(200, body, { 'content-type': contentType })
    },
  }),
  defineRoute({
    ...ops,
    path: '/metrics/targets',
    operation: 'listMetricsTargets',
    summary: 'Where Prometheus finds the figures of all processes (HTTP service discovery; root, scope ops, listed peers)',
    answer: z.array(Target),
    handle({ context }, { replicas, ...deps }: OpsDeps & { readonly replicas: Pick<ReplicaReadiness, 'targets'> }) {
      requireOps(context, deps)
      const targetOf = ({ address, services }: MetricsTarget) => ({ targets: [address], labels: { service: services.join(',') } })
      return Promise.resolve(replicas.targets().map(targetOf))
    },
  }),
]

import type { AuditedAct } from '@youworker/contracts/audit/audit-entry'
import { gateway } from '@youworker/contracts/audit/gateway'
import type { EventPublisher } from '@youworker/messaging/events/events'
import { newId } from '@youworker/runtime/id'
import type { Logger } from '@youworker/runtime/logger'
import { Sampler } from '@youworker/runtime/timing/sampler'
import type { Credential } from './http/guards/authenticate.ts'
import { addressForLimits } from './http/guards/client-address.ts'
import type { RequestContext } from './http/request-context.ts'

/** Kinds of one address or caller, and addresses and callers in all, that are recorded in a minute. */
const SAMPLES = { windowMs: 60_000, perGroup: 30, total: 100 } as const

type Publisher = Pick<EventPublisher, 'publish'>

/**
 * Reports to the audit trail what no other service sees, as events. Nobody waits for them; one that NATS does not take is lost,
 * because the gateway has no database.
 */
export class AuditReporter {
  readonly #publisher: Publisher
  readonly #logger: Logger
  readonly #credentials: Sampler
  readonly #tasks: Sampler
  readonly #scopes: Sampler
  /** Says once a minute that there were more addresses than are recorded. */
  readonly #rest: Sampler

  constructor(publisher: Publisher, { logger, now = Date.now }: { logger: Logger; now?: () => number }) {
    this.#publisher = publisher
    this.#logger = logger
    this.#credentials = new Sampler({ ...SAMPLES, now })
    this.#tasks = new Sampler({ ...SAMPLES, now })
    this.#scopes = new Sampler({ ...SAMPLES, now })
    this.#rest = new Sampler({ windowMs: SAMPLES.windowMs, perGroup: 1, total: 1, now })
  }

  /** A credential that was refused: one entry per address, kind of credential and minute. */
  refusedCredential(kind: Credential['kind'], context: RequestContext): void {
    const { address } = context
    const entry = { actor_id: null, action: `${kind}.use`, outcome: 'denied', target_type: 'address' } as const
    if (this.#credentials.take(addressForLimits(address), kind)) this.#publish({ ...entry, target_id: address }, context)
    else if (this.#credentials.isFull && this.#rest.take('', '')) this.#publish({ ...entry, target_id: null }, context)
  }

  /** A limited key at a route that it does not open: one entry per caller, route and minute. */
  refusedScope(route: string, context: RequestContext): void {
    const actor_id = context.caller.user_id
    if (!this.#scopes.take(actor_id, route)) return
    this.#publish({ actor_id, action: 'api_key.use', outcome: 'denied', target_type: 'route', target_id: route }, context)
  }

  /** A task that is not the caller's: neither of the services that have tasks can tell whether the other one has it. */
  unknownTask(action: string, taskId: string, context: RequestContext): void {
    const actor_id = context.caller.user_id
    if (!this.#tasks.take(actor_id, taskId)) return
    this.#publish({ actor_id, action, outcome: 'denied', target_type: 'task', target_id: taskId }, context)
  }

  #publish(act: AuditedAct, { client, correlationId }: RequestContext): void {
    const event = {
      specversion: '1.0',
      id: newId(),
      source: 'gateway',
      type: gateway.auditRecorded.subject,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      correlationid: correlationId,
      data: { ...act, ...client, correlation_id: correlationId },
    } as const
    this.#publisher
      .publish([event])
      .catch((error: unknown) => this.#logger.warn({ err: error, action: act.action }, 'an audit entry could not be sent'))
  }
}

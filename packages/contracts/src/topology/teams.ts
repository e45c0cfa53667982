import { z } from 'zod'
import { eventsOf } from '../define.ts'
import { CONTRACTS, SERVICES } from './topology.ts'

/** The services that send events. */
export const EVENT_OWNERS = SERVICES.filter((service) => eventsOf(CONTRACTS[service] ?? {}).length > 0)

/** Another team that reads events of some services on NATS, as the file of teams keeps it. */
export const NatsTeam = z.object({
  name: z
    .string()
    .max(32)
    .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/),
  password: z.string(),
  events: z.array(z.enum(SERVICES)).min(1),
})
export type NatsTeam = z.infer<typeof NatsTeam>

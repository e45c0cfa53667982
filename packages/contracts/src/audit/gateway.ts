import { event } from '../define.ts'
import { AuditEntry } from './audit-entry.ts'

/** The gateway serves HTTP: it has no requests of its own here. */
export const gateway = {
  auditRecorded: event(
    'events.gateway.v1.audit.recorded',
    'A credential or the scope of a key was refused, or a task of somebody else was asked for: one event per minute and address, or caller and route or task.',
    AuditEntry,
  ),
} as const

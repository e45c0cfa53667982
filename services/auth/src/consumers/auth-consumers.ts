import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { type EventHandler, on } from '@youworker/messaging/events/events'
import type { AuditService } from '../services/audit/audit-service.ts'
import type { GrantService } from '../services/tokens/grant-service.ts'

export const authConsumers = (audit: AuditService, grants: GrantService): readonly EventHandler[] => [
  ...[auth, group, chatAgent, ingestion].map(({ auditRecorded }) =>
    on(auditRecorded, (entry, envelope) => audit.record(entry, envelope)),
  ),
  on(chatAgent.runStarted, (run, { id }) => grants.runStarted(id, run)),
  on(chatAgent.runFinished, (run, { id }) => grants.runFinished(id, run)),
]

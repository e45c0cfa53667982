import { analytics } from '@youworker/contracts/analytics'
import { gateway } from '@youworker/contracts/audit/gateway'
import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { ownerOf } from '@youworker/contracts/topology/subjects'
import { type EventHandler, on } from '@youworker/messaging/events/events'
import type { AuditWriter } from '../services/audit/audit-writer.ts'
import type { GrantService } from '../services/tokens/grant-service.ts'

export const authConsumers = (audit: AuditWriter, grants: GrantService): readonly EventHandler[] => [
  ...[gateway, auth, group, chatAgent, ingestion, analytics].map(({ auditRecorded }) =>
    on(auditRecorded, (entry, { id, time }) => audit.record(entry, { id, time, source: ownerOf(auditRecorded.subject) })),
  ),
  on(chatAgent.runStarted, (run, { id }) => grants.runStarted(id, run)),
  on(chatAgent.runFinished, (run, { id }) => grants.runFinished(id, run)),
]

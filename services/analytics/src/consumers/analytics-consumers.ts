import { chatAgent } from '@youworker/contracts/chat-agent'
import { ingestion } from '@youworker/contracts/ingestion'
import { type EventHandler, on } from '@youworker/messaging/events/events'
import type { FactService } from '../services/fact-service.ts'

export const analyticsConsumers = (facts: FactService): readonly EventHandler[] => [
  on(chatAgent.sessionCreated, (data, envelope) => facts.sessionCreated(data, envelope)),
  on(chatAgent.sessionSoftDeleted, (data, envelope) => facts.sessionSoftDeleted(data, envelope)),
  on(chatAgent.sessionRestored, (data, envelope) => facts.sessionRestored(data, envelope)),
  on(chatAgent.sessionDeleted, (data, envelope) => facts.sessionDeleted(data, envelope)),
  on(chatAgent.messageCreated, (data, envelope) => facts.messageCreated(data, envelope)),
  on(chatAgent.runFinished, (data, envelope) => facts.chatFinished(data, envelope)),
  on(chatAgent.answerRepeated, (data, envelope) => facts.answerRepeated(data, envelope)),
  on(chatAgent.summaryFinished, (data, envelope) => facts.summaryFinished(data, envelope)),
  on(chatAgent.toolRunFinished, (data, envelope) => facts.toolRunFinished(data, envelope)),
  on(ingestion.runFinished, (data, envelope) => facts.runFinished(data, envelope)),
  on(ingestion.documentIngested, (data, envelope) => facts.documentIngested(data, envelope)),
  on(ingestion.documentMoved, (data, envelope) => facts.documentIngested(data, envelope)),
  on(ingestion.documentSoftDeleted, (data, envelope) => facts.documentSoftDeleted(data, envelope)),
  on(ingestion.documentRestored, (data, envelope) => facts.documentRestored(data, envelope)),
  on(ingestion.documentDeleted, (data, envelope) => facts.documentDeleted(data, envelope)),
]

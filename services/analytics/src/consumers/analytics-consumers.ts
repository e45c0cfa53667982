import { chatAgent } from '@youworker/contracts/chat-agent'
import { ingestion } from '@youworker/contracts/ingestion'
import { type DeadLetter, type EventHandler, on } from '@youworker/messaging/events'
import { type FactScope, FactService } from '../services/fact-service.ts'

interface Consumers {
  readonly handlers: readonly EventHandler[]
  readonly deadLetter: (letter: DeadLetter) => Promise<void>
}

export function analyticsConsumers(uow: { system(): FactScope }): Consumers {
  const facts = new FactService(uow.system())
  const handlers = [
    on(chatAgent.sessionCreated, (data, envelope) => facts.sessionCreated(data, envelope)),
    on(chatAgent.sessionDeleted, (data, envelope) => facts.sessionDeleted(data, envelope)),
    on(chatAgent.messageCreated, (data, envelope) => facts.messageCreated(data, envelope)),
    on(chatAgent.toolRunFinished, (data, envelope) => facts.toolRunFinished(data, envelope)),
    on(ingestion.runFinished, (data, envelope) => facts.runFinished(data, envelope)),
    on(ingestion.documentIngested, (data, envelope) => facts.documentIngested(data, envelope)),
    on(ingestion.documentDeleted, (data, envelope) => facts.documentDeleted(data, envelope)),
  ]
  return { handlers, deadLetter: (letter) => facts.keepDeadLetter(letter) }
}

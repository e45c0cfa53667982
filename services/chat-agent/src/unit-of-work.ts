import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import type { Database } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { BranchRepository } from './repositories/branch-repository.ts'
import { CachedAnswerRepository } from './repositories/cached-answer-repository.ts'
import { EntryRepository } from './repositories/entry-repository.ts'
import { KnowledgeRepository } from './repositories/knowledge-repository.ts'
import { MessageRepository } from './repositories/message-repository.ts'
import { ModelBackendRepository } from './repositories/model-backend-repository.ts'
import { ModelPullRepository } from './repositories/model-pull-repository.ts'
import { RunRepository } from './repositories/run-repository.ts'
import { SessionRepository } from './repositories/session-repository.ts'
import { TraceRepository } from './repositories/trace-repository.ts'
import { ToolRunRepository } from './repositories/tool-run-repository.ts'

export interface ChatAgentRepositories extends SystemRepositories {
  readonly sessions: SessionRepository
  readonly branches: BranchRepository
  readonly messages: MessageRepository
  readonly runs: RunRepository
  readonly entries: EntryRepository
  readonly toolRuns: ToolRunRepository
  readonly modelBackends: ModelBackendRepository
  readonly modelPulls: ModelPullRepository
  readonly cachedAnswers: CachedAnswerRepository
  readonly knowledge: KnowledgeRepository
  readonly traces: TraceRepository
}

export type ChatAgentUnitOfWork = UnitOfWork<ChatAgentRepositories>

export const createChatAgentUnitOfWork = (database: Database<ChatAgentTables>): ChatAgentUnitOfWork =>
  createUnitOfWork(database, (trx) => ({
    sessions: new SessionRepository(trx),
    branches: new BranchRepository(trx),
    messages: new MessageRepository(trx),
    runs: new RunRepository(trx),
    entries: new EntryRepository(trx),
    toolRuns: new ToolRunRepository(trx),
    modelBackends: new ModelBackendRepository(trx),
    modelPulls: new ModelPullRepository(trx),
    cachedAnswers: new CachedAnswerRepository(trx),
    knowledge: new KnowledgeRepository(trx),
    traces: new TraceRepository(trx),
  }))

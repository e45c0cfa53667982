import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import type { Database } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { BreakdownRepository } from './repositories/breakdown-repository.ts'
import { ChatFactRepository } from './repositories/chat-fact-repository.ts'
import { DocumentFactRepository } from './repositories/document-fact-repository.ts'
import { OverviewRepository } from './repositories/overview-repository.ts'
import { TimelineRepository } from './repositories/timeline-repository.ts'

interface OwnRepositories {
  readonly chat: ChatFactRepository
  readonly documents: DocumentFactRepository
  readonly overview: OverviewRepository
  readonly timelines: TimelineRepository
  readonly breakdown: BreakdownRepository
}

export type AnalyticsRepositories = OwnRepositories & SystemRepositories
export type AnalyticsUnitOfWork = UnitOfWork<AnalyticsRepositories>

export const createAnalyticsUnitOfWork = (database: Database<AnalyticsTables>): AnalyticsUnitOfWork =>
  createUnitOfWork<AnalyticsTables, OwnRepositories>(database, (trx) => ({
    chat: new ChatFactRepository(trx),
    documents: new DocumentFactRepository(trx),
    overview: new OverviewRepository(trx),
    timelines: new TimelineRepository(trx),
    breakdown: new BreakdownRepository(trx),
  }))

import type { analytics } from '@youworker/contracts/analytics'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { FigureService } from '../services/figure-service.ts'

export const analyticsHandlers = (figures: FigureService): Handlers<typeof analytics> => ({
  getOverview: (query, context) => figures.overview(query, context),
  getTokensTimeline: (query, context) => figures.tokensTimeline(query, context),
  getTokens: (query, context) => figures.tokens(query, context),
  getToolPerformance: (query, context) => figures.toolPerformance(query, context),
  getToolTimeline: (query, context) => figures.toolTimeline(query, context),
  getIngestionTimeline: (query, context) => figures.ingestionTimeline(query, context),
  getSessionActivity: (query, context) => figures.sessionActivity(query, context),
  getSession: ({ session_id }, context) => figures.session(session_id, context),
  getDashboard: (query, context) => figures.dashboard(query, context),
})

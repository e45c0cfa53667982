import type { analytics } from '@youworker/contracts/analytics'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { FigureService } from '../services/figure-service.ts'

export const analyticsHandlers = (figures: FigureService): Handlers<typeof analytics> => ({
  getOverview: ({ days }, { caller }) => figures.overview(caller.user_id, days),
  getTokensTimeline: (query, { caller }) => figures.tokensTimeline(caller.user_id, query),
  getTokens: (query, { caller }) => figures.tokens(caller.user_id, query),
  getToolPerformance: ({ days }, { caller }) => figures.toolPerformance(caller.user_id, days),
  getToolTimeline: (query, { caller }) => figures.toolTimeline(caller.user_id, query),
  getIngestionTimeline: (query, { caller }) => figures.ingestionTimeline(caller.user_id, query),
  getSessionActivity: (query, { caller }) => figures.sessionActivity(caller.user_id, query),
  getSession: ({ session_id }, { caller }) => figures.session(caller.user_id, session_id),
  getDashboard: (query, { caller }) => figures.dashboard(caller.user_id, query),
})

import type { analytics } from '@youworker/contracts/analytics'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { OverviewService } from '../services/overview-service.ts'

export const analyticsHandlers = (overview: OverviewService): Handlers<typeof analytics> => ({
  getOverview: ({ days }, { caller }) => overview.get(caller.user_id, days),
})

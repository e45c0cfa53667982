import type { Route } from '../http/define-route.ts'
import { adminRoutes } from './admin-routes.ts'
import { analyticsRoutes } from './analytics-routes.ts'
import { authRoutes } from './auth-routes.ts'
import { chatRoutes } from './chat-routes.ts'
import { docsRoutes } from './docs-routes.ts'
import { documentRoutes } from './document-routes.ts'
import { groupRoutes } from './group-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { ingestionRunRoutes } from './ingestion-run-routes.ts'
import { runRoutes } from './run-routes.ts'
import { searchRoutes } from './search-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { taskRoutes } from './task-routes.ts'
import { uploadRoutes } from './upload-routes.ts'

/** The one table of routes. */
export const ROUTES: readonly Route[] = [
  ...authRoutes,
  ...adminRoutes,
  ...groupRoutes,
  ...sessionRoutes,
  ...chatRoutes,
  ...runRoutes,
  ...uploadRoutes,
  ...ingestionRunRoutes,
  ...documentRoutes,
  ...searchRoutes,
  ...analyticsRoutes,
  ...taskRoutes,
  ...healthRoutes,
  ...docsRoutes(() => ROUTES),
]

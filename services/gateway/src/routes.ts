import type { Route } from './define-route.ts'
import { adminRoutes } from './routes/admin-routes.ts'
import { analyticsRoutes } from './routes/analytics-routes.ts'
import { authRoutes } from './routes/auth-routes.ts'
import { chatRoutes } from './routes/chat-routes.ts'
import { docsRoutes } from './routes/docs-routes.ts'
import { documentRoutes } from './routes/document-routes.ts'
import { groupRoutes } from './routes/group-routes.ts'
import { healthRoutes } from './routes/health-routes.ts'
import { ingestionRunRoutes } from './routes/ingestion-run-routes.ts'
import { runRoutes } from './routes/run-routes.ts'
import { searchRoutes } from './routes/search-routes.ts'
import { sessionRoutes } from './routes/session-routes.ts'
import { taskRoutes } from './routes/task-routes.ts'
import { uploadRoutes } from './routes/upload-routes.ts'

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

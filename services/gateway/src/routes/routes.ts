import type { ReplicaReadiness } from '@youworker/messaging/live/readiness'
import type { Readiness } from '@youworker/runtime/health/readiness'
import type { AuditReporter } from '../audit-reporter.ts'
import type { AskHealth, Clients } from '../clients.ts'
import type { Route, UnboundRoute } from '../http/define-route.ts'
import type { Voice } from '../audio/voice.ts'
import type { Authenticator } from '../http/guards/authenticate.ts'
import type { AddressList } from '../http/guards/client-address.ts'
import type { Csrf } from '../http/guards/csrf.ts'
import type { OpenAppends } from '../files/open-appends.ts'
import type { UploadLimits } from '../files/receive-upload.ts'
import type { KnownDevices } from '../http/guards/known-device.ts'
import type { TrustedProxies } from '../http/guards/trusted-proxies.ts'
import type { IngestionWatcher } from '../streams/ingestion-watcher.ts'
import type { OpenStreams } from '../streams/open-streams.ts'
import type { RunStreams } from '../streams/run-streams.ts'
import { messageRoutes } from '../anthropic/message-routes.ts'
import { speechRoutes } from '../openai/audio/speech-routes.ts'
import { transcriptionRoutes } from '../openai/audio/transcription-routes.ts'
import { completionRoutes } from '../openai/completion-routes.ts'
import { embeddingRoutes } from '../openai/embedding-routes.ts'
import { fileRoutes } from '../openai/files/file-routes.ts'
import { fileBatchRoutes, storeFileRoutes } from '../openai/vector-stores/store-file-routes.ts'
import { storeRoutes } from '../openai/vector-stores/store-routes.ts'
import { modelRoutes } from '../openai/model-routes.ts'
import { conversationRoutes } from '../openai/responses/conversation-routes.ts'
import { responseRoutes } from '../openai/responses/response-routes.ts'
import { auditRoutes } from './accounts/audit-routes.ts'
import { analyticsRoutes } from './analytics-routes.ts'
import { accountRoutes } from './accounts/account-routes.ts'
import { userRoutes } from './accounts/user-routes.ts'
import { authRoutes } from './auth-routes.ts'
import { branchRoutes } from './chat/branch-routes.ts'
import { chatRoutes } from './chat/chat-routes.ts'
import { docsRoutes } from './docs-routes.ts'
import { documentRoutes, searchRoutes } from './document-routes.ts'
import { erasureRoutes } from './erasure-routes.ts'
import { groupRoutes } from './group-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { indexRoutes } from './index-routes.ts'
import { ingestionRunRoutes } from './ingestion-run-routes.ts'
import { collectionAccessRoutes } from './collection-access-routes.ts'
import { labelRoutes } from './label-routes.ts'
import { modelBackendRoutes } from './models/model-backend-routes.ts'
import { modelPullRoutes } from './models/model-pull-routes.ts'
import { resumableRoutes } from './resumable-routes.ts'
import { runRoutes } from './run-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { sourceRoutes } from './source-routes.ts'
import { taskRoutes } from './task-routes.ts'
import { uploadRoutes } from './upload-routes.ts'

/** The union of what the handlers name; no handler sees this type. */
interface RouteDeps extends Clients {
  readonly askHealth: AskHealth
  readonly audit: AuditReporter
  readonly authenticator: Authenticator
  readonly readiness: Readiness
  readonly replicas: ReplicaReadiness
  readonly csrf: Csrf
  readonly devices: KnownDevices
  readonly identityProxies: AddressList
  readonly ingestionWatcher: IngestionWatcher
  readonly uploadLimits: UploadLimits
  readonly openAppends: OpenAppends
  readonly opsPeers: AddressList
  readonly proxies: TrustedProxies
  readonly runStreams: RunStreams
  readonly secureCookies: boolean
  readonly streams: OpenStreams
  readonly voice: Voice
}

/** The one table of routes: OpenAPI and the tests read it without a running system. */
export const ROUTES: readonly UnboundRoute<RouteDeps>[] = [
  ...authRoutes,
  ...accountRoutes,
  ...userRoutes,
  ...auditRoutes,
  ...modelBackendRoutes,
  ...modelPullRoutes,
  ...groupRoutes,
  ...sessionRoutes,
  ...branchRoutes,
  ...chatRoutes,
  ...completionRoutes,
  ...responseRoutes,
  ...conversationRoutes,
  ...modelRoutes,
  ...embeddingRoutes,
  ...fileRoutes,
  ...storeRoutes,
  ...storeFileRoutes,
  ...fileBatchRoutes,
  ...transcriptionRoutes,
  ...speechRoutes,
  ...messageRoutes,
  ...runRoutes,
  ...uploadRoutes,
  ...sourceRoutes,
  ...resumableRoutes,
  ...ingestionRunRoutes,
  ...documentRoutes,
  ...searchRoutes,
  ...indexRoutes,
  ...labelRoutes,
  ...collectionAccessRoutes,
  ...analyticsRoutes,
  ...taskRoutes,
  ...erasureRoutes,
  ...healthRoutes,
  ...docsRoutes(() => ROUTES),
]

/** The table with the handlers' dependencies, ready to serve. */
export const createRoutes = (deps: RouteDeps): Route[] => ROUTES.map((route) => route.bind(deps))

import { auth } from '@youworker/contracts/auth'
import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { storeDeadLetter } from '@youworker/database/events/store-dead-letter'
import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { keepErasing } from '@youworker/database/deletion/erase-deleted'
import { parseKeyRing } from '@youworker/database/sealing/key-ring'
import { type Database, openDatabase, poolSettings } from '@youworker/database/connection/open'
import { SampledAudit } from '@youworker/database/events/sampled-audit'
import { startRelay } from '@youworker/database/events/relay'
import { createSealer } from '@youworker/database/sealing/sealer'
import { startWorker, type Worker } from '@youworker/database/jobs/worker'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats, natsCheck, type NatsConnection, onReconnect } from '@youworker/messaging/connection/connect'
import { consumeEvents, createEventPublisher, subscribeEvent } from '@youworker/messaging/events/events'
import { onUserDeleted } from '@youworker/messaging/events/user-erasure'
import { serve, serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { onWake, wake } from '@youworker/messaging/live/wake'
import { fetchSettings } from '@youworker/guarded-fetch/fetch-env'
import { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import { FreeSpace } from '@youworker/runtime/health/free-space'
import { every } from '@youworker/runtime/timing/every'
import type { Logger } from '@youworker/runtime/logger'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import { indexAdapters } from './clients/index-adapters.ts'
import { uploadRoot } from './clients/upload-root.ts'
import { groupSpaces, rightsOfUsers } from './clients/group-spaces.ts'
import { userDirectory } from './clients/user-directory.ts'
import { connectTranscriber } from './clients/connect-transcriber.ts'
import { createOllamaEmbedder } from './clients/ollama.ts'
import { rerankerOf } from './clients/reranker/rerank-env.ts'
import type { Config } from './config.ts'
import { groupConsumers } from './consumers/group-consumers.ts'
import { ingestionHandlers } from './handlers/ingestion-handlers.ts'
import { indexJob } from './jobs/index-job.ts'
import { labelJob } from './jobs/label-job.ts'
import { gatherJob, runJob } from './jobs/run-job.ts'
import { ReaderPool } from './reading/reader-pool.ts'
import { eraseExpired, type ErasureVerifier } from './services/documents/document-erasure.ts'
import type { ErasureService } from './services/documents/erasure-service.ts'
import { createServices } from './services/ingestion-services.ts'
import type { GenerationBuilder } from './services/search/generations/generation-builder.ts'
import type { GenerationCleaner } from './services/search/generations/generation-cleaner.ts'
import { INDEX_KIND } from './services/search/generations/generation-plan.ts'
import type { LabelChanger } from './services/labels/label-changer.ts'
import { LABELS_KIND } from './services/labels/label-service.ts'
import { RUN_KIND } from './services/runs/run-starter.ts'
import { GATHER_KIND } from './services/sources/source-starter.ts'
import { deleteExpiredFiles } from './jobs/expired-files.ts'
import { sharedWith, SpaceAccess } from './services/space-access.ts'
import { createIngestionUnitOfWork, type IngestionUnitOfWork } from './unit-of-work.ts'

const service = 'ingestion'
const SWEEP_MS = 300_000
const EXPIRY_MS = 15_000
const CLEAN_MS = 10_000
/** Each waits most of the time; what they compute at a time is bounded for all of them together. */
const RUNS_AT_A_TIME = 32
/** Of one user, who may have many groups to bring files to. */
const RUNS_OF_ONE = 4
/** They wait for other servers most of the time and hold one part of a file each. */
const GATHERED_AT_A_TIME = 16
const GATHERED_OF_ONE = 4

/** Drops what is remembered of a membership as soon as it changes, and everything when changes may have been missed. */
function keepAccessCurrent(nats: NatsConnection, access: SpaceAccess): Disposable {
  const stack = new DisposableStack()
  stack.use(subscribeEvent(nats, group.memberAdded, ({ user_id }) => access.dropUser(user_id)))
  stack.use(subscribeEvent(nats, group.memberRemoved, ({ user_id }) => access.dropUser(user_id)))
  for (const event of [group.groupSoftDeleted, group.groupDeleted])
    stack.use(subscribeEvent(nats, event, ({ group_id }) => access.dropSpace(group_id)))
  stack.use(subscribeEvent(nats, group.groupRestored, () => access.dropAll()))
  stack.use(onReconnect(nats, () => access.dropAll()))
  return stack
}

interface Background extends Pick<ServiceContext, 'logger'> {
  readonly database: Database<IngestionTables>
  readonly labelChanger: LabelChanger
  readonly nats: NatsConnection
  readonly uow: IngestionUnitOfWork
  readonly erasure: ErasureService
  readonly erasures: ErasureVerifier
  readonly keepDays: number
  readonly builder: GenerationBuilder
  readonly cleaner: GenerationCleaner
}

function background({ database, uow, nats, logger, ...its }: Background): AsyncDisposable {
  const { erasure, erasures, labelChanger, keepDays, builder, cleaner } = its
  const stack = new AsyncDisposableStack()
  const wakes = (fn: () => void) => onWake(nats, service, RUN_KIND, fn)
  const job = { kind: LABELS_KIND, concurrency: 1, onWake: wakes, ...labelJob(labelChanger) }
  stack.use(startWorker({ database, uow, logger, ...job }))
  stack.use(startWorker({ database, uow, logger, kind: INDEX_KIND, concurrency: 1, ...indexJob(builder) }))
  stack.use(every(CLEAN_MS, () => cleaner.sweep(), { what: 'erasing an unused search index', logger }))
  stack.use(every(SWEEP_MS, () => erasure.sweep(), { what: 'the sweep of unused files', logger }))
  const expire = () => deleteExpiredFiles({ uow, logger, keepDays })
  stack.use(every(EXPIRY_MS, expire, { what: 'the deletion of expired files', logger }))
  const verify = erasures.verify.bind(erasures)
  stack.use(keepErasing({ uow, table: 'documents', logger, erase: eraseExpired, verify }))
  return stack
}
const serversOf = ({ DATABASE__URL, NATS__URL, LLM__OLLAMA_BASE_URL, ...urls }: Config): string[] =>
  [DATABASE__URL, NATS__URL, LLM__OLLAMA_BASE_URL, urls.LLM__QDRANT_URL, urls.LLM__RERANK_BASE_URL, urls.AUDIO__BASE_URL].filter(
    (url) => url !== undefined,
  )

/** Where files come from that this service fetches itself. Users may not name the servers that it works with. */
const sourcesOf = (config: Config, logger: Logger) => ({
  fetcher: new GuardedFetcher({
    ...fetchSettings(config, serversOf(config)),
    logger,
  }),
  serverFiles: uploadRoot(config.INGEST__UPLOAD_ROOT),
})

const wakeUps = (nats: NatsConnection, kind: string) => ({
  kind,
  onWake: (fn: () => void) => onWake(nats, service, kind, fn),
  wakeOthers: () => wake(nats, service, kind),
})

interface Working extends Pick<ServiceContext, 'logger'>, Pick<ReturnType<typeof createServices>, 'processor' | 'gatherer'> {
  readonly database: Database<IngestionTables>
  readonly uow: IngestionUnitOfWork
  readonly nats: NatsConnection
}

/** `drain` waits for runs; a crawl may take long, and another process goes on with it. */
function startWorkers({ nats, processor, gatherer, ...common }: Working): Pick<Worker, 'drain'> & AsyncDisposable {
  const stack = new AsyncDisposableStack()
  const gathering = {
    ...wakeUps(nats, GATHER_KIND),
    concurrency: GATHERED_AT_A_TIME,
    each: GATHERED_OF_ONE,
    ...gatherJob(gatherer),
  }
  stack.use(startWorker({ ...common, ...gathering }))
  const running = { ...wakeUps(nats, RUN_KIND), concurrency: RUNS_AT_A_TIME, each: RUNS_OF_ONE, ...runJob(processor) }
  const worker = stack.use(startWorker({ ...common, ...running }))
  return { drain: () => worker.drain(), [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** Composition root: the whole service, wired top to bottom. */
export async function startIngestion(config: Config, { logger, metricsAt }: ServiceContext): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(openDatabase<IngestionTables>({ ...poolSettings(config), schema: service, logger }))
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service, logger }), closeNats)
  const { INDEX__DIR: folder, DISK__WARN_BELOW_MB: warnBelowMb, DISK__REFUSE_BELOW_MB: refuseBelowMb } = config
  const keepDays = config.DATA__KEEP_DELETED_DAYS
  const space = stack.use(new FreeSpace({ folder, warnBelowMb, refuseBelowMb, logger }))

  const uow = createIngestionUnitOfWork(database)
  const groups = createClient(nats, group)
  const access = new SpaceAccess(groupSpaces(groups), sharedWith(uow))
  const services = createServices({
    uow,
    access,
    ...rightsOfUsers(groups),
    users: userDirectory(createClient(nats, auth)),
    adapters: indexAdapters(config, logger),
    space,
    readers: stack.use(new ReaderPool(config.INGEST__OCR_LANGUAGES)),
    transcriber: connectTranscriber(stack, config, logger),
    logger,
    sealer: createSealer(database, parseKeyRing(config.SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET)),
    embedderOf: (model) => createOllamaEmbedder({ url: config.LLM__OLLAMA_BASE_URL, model }),
    embedModel: config.LLM__EMBED_MODEL,
    reranker: rerankerOf(config, config.LLM__OLLAMA_BASE_URL),
    wake: () => wake(nats, service, RUN_KIND),
    wakeGatherers: () => wake(nats, service, GATHER_KIND),
    ...sourcesOf(config, logger),
    maxFileMb: config.INGEST__MAX_FILE_MB,
    keepDeletedDays: keepDays,
    chunks: { tokens: config.INGEST__CHUNK_TOKENS, overlap: config.INGEST__CHUNK_OVERLAP },
  })
  const { processor, gatherer, erasure, verifier: erasures, labelChanger, builder, cleaner } = services
  const generations = stack.use(services.generations)

  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const dependencies = { postgres: () => database.check(), nats: natsCheck(nats), keys: () => verifier.check() }
  const own = { search_index: () => generations.check(), disk: () => space.check() }
  const readiness = stack.use(new Readiness({ ...dependencies, ...own }))
  stack.use(keepAccessCurrent(nats, access))
  stack.use(startRelay(database, createEventPublisher(nats, { logger }), { service, logger }))
  const handlers = [...groupConsumers(erasure), onUserDeleted(nats, service, (userId) => erasure.userDeleted(userId))]
  stack.use(await consumeEvents(nats, { service, logger, handlers, deadLetter: storeDeadLetter(uow) }))
  const worker = stack.use(startWorkers({ database, uow, logger, nats, processor, gatherer }))
  stack.use(background({ database, uow, nats, erasure, erasures, labelChanger, keepDays, builder, cleaner, logger }))
  stack.use(await serveHealth(nats, service, readiness, { logger, metricsAt, more: { pool: database.checkUse } }))
  const denied = stack.use(new SampledAudit({ uow, event: ingestion.auditRecorded, logger }))
  const onDenied = denied.record.bind(denied)
  stack.use(await serve(nats, ingestion, ingestionHandlers(services), { service, verifier, logger, onDenied }))
  const running = stack.move()
  return { readiness, drain: () => worker.drain(), [Symbol.asyncDispose]: () => running.disposeAsync() }
}

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TERMINAL } from '@youworker/contracts/common'
import type { IngestionRun } from '@youworker/contracts/documents/runs'
import type { SearchQuery } from '@youworker/contracts/documents/search'
import { SearchQuery as SearchQuerySchema } from '@youworker/contracts/documents/search'
import { LIMITS } from '@youworker/contracts/limits'
import type { IngestionTables } from '@youworker/database/owners/ingestion/tables'
import { parseKeyRing } from '@youworker/database/sealing/key-ring'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { createSealer } from '@youworker/database/sealing/sealer'
import { startWorker } from '@youworker/database/jobs/worker'
import type { PolicySettings } from '@youworker/guarded-fetch/fetch-policy'
import { GuardedFetcher } from '@youworker/guarded-fetch/guarded-fetcher'
import { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { startOfflineModel } from '@youworker/test-kit/offline-model'
import { waitFor } from '@youworker/test-kit/wait-for'
import { embeddedAdapter } from './clients/embedded-index/embedded-adapter.ts'
import { indexAdapters } from './clients/index-adapters.ts'
import { createOllamaEmbedder } from './clients/ollama.ts'
import { uploadRoot } from './clients/upload-root.ts'
import { indexJob } from './jobs/index-job.ts'
import { labelJob } from './jobs/label-job.ts'
import { gatherJob, runJob } from './jobs/run-job.ts'
import { ReaderPool } from './reading/reader-pool.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import type { ChunkSize } from './chunking/chunk-document.ts'
import type { Embedder } from './services/search/embedding-service.ts'
import { createServices } from './services/ingestion-services.ts'
import { INDEX_KIND } from './services/search/generations/generation-plan.ts'
import { LABELS_KIND } from './services/labels/label-service.ts'
import { RUN_KIND } from './services/runs/run-starter.ts'
import { GATHER_KIND } from './services/sources/source-starter.ts'
import { sharedWith, SpaceAccess } from './services/space-access.ts'
import { createIngestionUnitOfWork } from './unit-of-work.ts'

const KEY_RING = randomBytes(32).toString('base64url')

export interface TestUser extends UserContext {
  readonly id: string
}

export function testUser(id = newId(), idempotencyKey?: string): TestUser {
  return { id, ...testUserContext(id, { idempotencyKey }) }
}

export type Fixture = Awaited<ReturnType<typeof startFixture>>
type Wrap = (embedder: Embedder) => Embedder

interface Fetching extends PolicySettings {
  readonly dnsServers: readonly string[]
  readonly root: string | undefined
}

/** What all processes of a fixture share. */
interface Surroundings {
  readonly adminUrl: string
  readonly indexDir: string
  readonly qdrantUrl: string | undefined
  readonly modelUrl: string
  /** Members by group. */
  readonly groups: Map<string, Set<string>>
  /** `<group>/<user>` of those members who are admins. */
  readonly admins: Set<string>
  /** Every text that was sent to the model. */
  readonly embedded: string[]
  groupsAway: Error | undefined
  freeMb: number
  readonly fetching: Fetching
}

interface FixtureOptions {
  readonly worker?: boolean
  readonly fetching?: Partial<Fetching>
  /** There is this Qdrant, by default that of the environment, and a new index is in it. */
  readonly qdrantUrl?: string | undefined
  /** Of a model server in place of the offline model. */
  readonly modelUrl?: string
  readonly embedModel?: string
  /** Whether its first process knows the Qdrant. */
  readonly hasQdrant?: boolean
}

/** The services of ingestion on real Postgres, the real search index and the real offline model; only groups are a table here. */
export async function startFixture({
  worker = true,
  fetching = {},
  qdrantUrl = process.env['LLM__QDRANT_URL'],
  modelUrl: given,
  embedModel = 'youworker-offline',
  hasQdrant = true,
}: FixtureOptions = {}) {
  await using stack = new AsyncDisposableStack()
  const logger = silentLogger()
  const modelUrl = given ?? stack.use(await startOfflineModel()).url
  const prepare = (url: string) => migrateSchema({ adminUrl: url, owner: 'ingestion', password: testPassword, logger })
  const { adminUrl } = stack.use(await testDatabase({ template: 'ingestion', prepare }))
  const indexDir = await mkdtemp(join(tmpdir(), 'youworker-index-'))
  stack.defer(() => rm(indexDir, { recursive: true, force: true }))
  const surroundings: Surroundings = {
    adminUrl,
    indexDir,
    qdrantUrl,
    modelUrl,
    groups: new Map(),
    admins: new Set(),
    embedded: [],
    groupsAway: undefined,
    freeMb: 10_000,
    fetching: { allow: [], refuse: [], closedPorts: [], dnsServers: [], root: undefined, ...fetching },
  }
  const processes = stack.use(new AsyncDisposableStack())
  const newProcess = (works: boolean, wrap?: Wrap, chunks?: ChunkSize, model = embedModel, knowsQdrant = hasQdrant) =>
    startProcess(knowsQdrant ? surroundings : { ...surroundings, qdrantUrl: undefined }, processes, {
      works,
      wrap,
      chunks,
      model,
    })
  const services = newProcess(worker)
  const resources = stack.move()
  return {
    ...services,
    ...surroundings,
    newProcess,
    setFreeMb: (mb: number) => void (surroundings.freeMb = mb),
    setGroupsAway: (error: Error | undefined) => void (surroundings.groupsAway = error),
    upload: (user: TestUser, bytes: Uint8Array | string, options?: { name?: string; space_id?: string }) =>
      uploadTo(services, user, bytes, options),
    ingest: (user: TestUser, files: Record<string, string | Uint8Array>, options: IngestOptions = {}) =>
      ingestTo(services, user, files, options),
    settled: (user: TestUser, run_id: string) => settledRun(services, user, run_id),
    find: async (user: TestUser, query: string, options: Partial<SearchQuery> = {}) =>
      (await services.searches.search(SearchQuerySchema.parse({ query, ...options }), user)).results,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

interface ProcessOptions {
  readonly works: boolean
  readonly wrap?: Wrap | undefined
  readonly chunks?: ChunkSize | undefined
  readonly model: string
}

/** Another process with the same Postgres, index folder and model. With `works` it takes runs. */
function startProcess(
  surroundings: Surroundings,
  stack: AsyncDisposableStack,
  { works, wrap = (embedder) => embedder, chunks = { tokens: 120, overlap: 20 }, model: embedModel }: ProcessOptions,
) {
  const { adminUrl, indexDir, qdrantUrl, modelUrl, groups, admins, embedded } = surroundings
  const logger = silentLogger()
  const url = roleUrl(adminUrl, 'ingestion', testPassword)
  const database = stack.use(openDatabase<IngestionTables>({ url, schema: 'ingestion', poolSize: 6, slowQueryMs: 5_000, logger }))
  const uow = createIngestionUnitOfWork(database)
  const read = async () => ({ bytes: surroundings.freeMb * 1024 * 1024 })
  const space = stack.use(new FreeSpace({ folder: indexDir, warnBelowMb: 1_000, refuseBelowMb: 200, logger, read }))
  const shared = sharedWith(uow)
  const access = new SpaceAccess(async ({ caller }) => {
    if (surroundings.groupsAway) throw surroundings.groupsAway
    return [...groups].filter(([, members]) => members.has(caller.user_id)).map(([id]) => id)
  }, shared)
  const adapters = indexAdapters({ INDEX__DIR: indexDir, LLM__QDRANT_URL: qdrantUrl, LLM__QDRANT_API_KEY: undefined }, logger)
  const index = stack.use(embeddedAdapter(indexDir, { logger }).open({ number: 1, vectors: '', created_at: '' }, async () => 0))
  const embedderOf = (model: string): Embedder => {
    const ollama = createOllamaEmbedder({ url: modelUrl, model })
    const embed: Embedder['embed'] = (texts, options) => {
      embedded.push(...texts)
      return ollama.embed(texts, options)
    }
    return wrap({ model, embed })
  }
  const spacesOf = async (userId: string) => [
    userId,
    ...[...groups].filter(([, members]) => members.has(userId)).map(([id]) => id),
  ]
  const checkSpace = async (userId: string, spaceId: string) => {
    if (surroundings.groupsAway) throw surroundings.groupsAway
    if (userId === spaceId) return { allowed: true }
    if (!groups.get(spaceId)?.has(userId)) return { allowed: false }
    return { allowed: true, role: admins.has(`${spaceId}/${userId}`) ? ('admin' as const) : ('member' as const) }
  }
  const ports = {
    uow,
    access,
    checkSpace,
    users: async (ids: readonly string[]) => ids.map((id) => ({ id, username: 'somebody', suspended: false })),
    spacesOf,
    adapters,
    space,
    readers: stack.use(new ReaderPool(['eng'])),
    logger,
    sealer: createSealer(database, parseKeyRing(KEY_RING)),
    embedderOf,
    embedModel,
    reranker: undefined,
  }
  let nudge = () => {}
  let nudgeGatherers = () => {}
  const outside = {
    fetcher: new GuardedFetcher({ ...surroundings.fetching, logger }),
    serverFiles: uploadRoot(surroundings.fetching.root),
  }
  const services = createServices({
    ...ports,
    ...outside,
    wake: () => nudge(),
    wakeGatherers: () => nudgeGatherers(),
    maxFileMb: 2,
    keepDeletedDays: 30,
    chunks,
  })
  stack.use(services.generations)
  const filling = { kind: INDEX_KIND, concurrency: 1, ...indexJob(services.builder) }
  if (works) stack.use(startWorker({ database, uow, logger, ...filling }))
  const job = { kind: RUN_KIND, concurrency: 2, ...runJob(services.processor) }
  const running = works ? stack.use(startWorker({ database, uow, logger, ...job })) : undefined
  const relabelling = { kind: LABELS_KIND, concurrency: 1, ...labelJob(services.labelChanger) }
  if (works) stack.use(startWorker({ database, uow, logger, ...relabelling }))
  nudge = () => running?.nudge()
  const gather = { kind: GATHER_KIND, concurrency: 4, ...gatherJob(services.gatherer) }
  const gathering = works ? stack.use(startWorker({ database, uow, logger, ...gather })) : undefined
  nudgeGatherers = () => gathering?.nudge()
  return { ...services, uow, access, index, adapters, database }
}

type Services = ReturnType<typeof createServices>
interface IngestOptions {
  readonly tags?: string[]
  readonly collection?: string
  readonly group_id?: string
  readonly is_private?: boolean
}

export async function uploadTo(
  { uploads }: Pick<Services, 'uploads'>,
  user: TestUser,
  content: Uint8Array | string,
  { name = 'file', space_id }: { name?: string; space_id?: string } = {},
): Promise<string> {
  const bytes = Buffer.from(content)
  const { blob_id } = await uploads.create({ name, size: bytes.length, space_id }, user)
  const parts = Math.ceil(bytes.length / LIMITS.part)
  for (let index = 0; index < parts; index += 1) {
    await uploads.write({ blob_id, index, bytes: bytes.subarray(index * LIMITS.part, (index + 1) * LIMITS.part) }, user)
  }
  await uploads.finish({ blob_id, pieces: parts, sha256: createHash('sha256').update(bytes).digest('hex') }, user)
  return blob_id
}

async function ingestTo(services: Services, user: TestUser, files: Record<string, string | Uint8Array>, options: IngestOptions) {
  const { tags = [], is_private = false, ...labels } = options
  const named = []
  for (const [name, bytes] of Object.entries(files))
    named.push({ name, blob_id: await uploadTo(services, user, bytes, { name }) })
  const { run_id } = await services.starter.start({ files: named, tags, is_private, ...labels }, user)
  return settledRun(services, user, run_id)
}

const settledRun = (services: Services, user: TestUser, run_id: string): Promise<IngestionRun> =>
  waitFor(
    async () => {
      const run = await services.runs.get({ run_id }, user)
      return TERMINAL.includes(run.status) ? run : undefined
    },
    { what: `the end of run ${run_id}` },
  )

import { plainUrl } from '@youworker/contracts/agent/model-backends'
import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import type { Database } from '@youworker/database/connection/open'
import type { Slot } from '@youworker/database/jobs/worker'
import { parseKeyRing, TRANSPORT } from '@youworker/database/sealing/key-ring'
import { createSealer, type Sealer } from '@youworker/database/sealing/sealer'
import { TransportKeys } from '@youworker/messaging/tokens/transport-keys'
import type { Logger } from '@youworker/runtime/logger'
import { createMcpPort } from './clients/mcp-client.ts'
import { OllamaModel } from './clients/ollama.ts'
import { OpenAiModel } from './clients/openai-model.ts'
import type { Connect } from './services/models/backend.ts'
import { BackendAdmin } from './services/models/backend-admin.ts'
import { BackendRegistry } from './services/models/backend-registry.ts'
import { BackendSpecs, ENVIRONMENT_NAMES, type EnvironmentBackend } from './services/models/backend-specs.ts'
import { ModelBackends } from './services/models/model-backends.ts'
import { Vision } from './services/models/vision.ts'
import { PullService } from './services/models/pull-service.ts'
import type { Config } from './config.ts'
import { AgentLoop } from './services/agent/agent-loop.ts'
import { AgentRunner } from './services/agent/agent-runner.ts'
import { BranchService } from './services/branches/branch-service.ts'
import { AnswerCache } from './services/cache/answer-cache.ts'
import { KnowledgeChanges } from './services/cache/knowledge-changes.ts'
import { EntryWriter } from './services/runs/entry-writer.ts'
import type { Grants, Groups, IsSignedIn, LivePublisher, Waker } from './services/ports.ts'
import type { LoadedRun } from './services/runs/load-run.ts'
import { SessionPrompts } from './services/prompts/session-prompts.ts'
import { ResponseService } from './services/responses/response-service.ts'
import { RunFinisher } from './services/runs/run-finisher.ts'
import { RunService } from './services/runs/run-service.ts'
import { OfferedTools } from './services/tools/offered-tools.ts'
import { ownServers } from './services/tools/mcp-servers.ts'
import { SessionDeletion } from './services/sessions/session-deletion.ts'
import { SessionService } from './services/sessions/session-service.ts'
import { SummaryWriter } from './services/summaries/summary-writer.ts'
import { StepService } from './services/steps/step-service.ts'
import { StartRun } from './services/runs/start-run.ts'
import { TitleWriter } from './services/titles/title-writer.ts'
import { ToolCaller } from './services/agent/tool-caller.ts'
import { toolsCheck } from './services/tools/tools-check.ts'
import { ToolDiscovery } from './services/tools/tool-discovery.ts'
import { ToolRunService } from './services/tools/tool-run-service.ts'
import { type ChatAgentUnitOfWork, createChatAgentUnitOfWork } from './unit-of-work.ts'

interface Dependencies {
  readonly database: Database<ChatAgentTables>
  readonly live: LivePublisher
  readonly waker: Waker
  readonly reserve: () => Slot<LoadedRun> | undefined
  readonly isSignedIn: IsSignedIn
  readonly grants: Grants
  readonly groups: Groups
  readonly logger: Logger
}

/** The model servers that the settings name. */
function environmentBackends(config: Config): EnvironmentBackend[] {
  const { LLM__OPENAI_BASE_URL: openai } = config
  const ollama = { base_url: plainUrl(config.LLM__OLLAMA_BASE_URL), apiKey: undefined }
  return [
    { name: ENVIRONMENT_NAMES.ollama, protocol: 'ollama', ...ollama, concurrency: config.LLM__OLLAMA_CONCURRENCY ?? null },
    ...(openai === undefined
      ? []
      : [
          {
            name: ENVIRONMENT_NAMES.openai,
            protocol: 'openai' as const,
            base_url: plainUrl(openai),
            apiKey: config.LLM__OPENAI_API_KEY,
            concurrency: config.LLM__OPENAI_CONCURRENCY ?? null,
          },
        ]),
  ]
}

const transportKeys = ({ SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: secret }: Config): TransportKeys =>
  new TransportKeys(parseKeyRing(secret, TRANSPORT))

const connectWith =
  ({ LLM__CONTEXT_TOKENS: contextTokens, LLM__STALL_MS: stallMs }: Config): Connect =>
  ({ name, protocol, base_url: url, apiKey }) => {
    const options = { name, url, apiKey, contextTokens, stallMs }
    return protocol === 'ollama' ? new OllamaModel(options) : new OpenAiModel(options)
  }

function createModels(
  config: Config,
  parts: { readonly uow: ChatAgentUnitOfWork; readonly sealer: Sealer; readonly logger: Logger },
) {
  const specs = new BackendSpecs({ ...parts, environment: environmentBackends(config) })
  const registry = new BackendRegistry({ specs, connect: connectWith(config), logger: parts.logger })
  const model = new ModelBackends({ backends: () => registry.enabled, defaultModel: config.LLM__CHAT_MODEL })
  return { specs, registry, model, vision: new Vision(model, config.LLM__VISION_MODEL) }
}

interface CacheParts extends Pick<ConstructorParameters<typeof AnswerCache>[0], 'model' | 'tools'> {
  readonly uow: ChatAgentUnitOfWork
  readonly logger: Logger
}

function createCache({ AGENT__CACHE_TTL_MS: ttlMs }: Config, { uow, logger, ...parts }: CacheParts) {
  const knowledge = new KnowledgeChanges(uow, logger)
  return { knowledge, cache: new AnswerCache({ ...parts, knowledge, ttlMs }) }
}

const toolsOf = (config: Config, logger: Logger) => ({
  port: createMcpPort(logger),
  discovery: new ToolDiscovery(config.AGENT__TOOL_WAIT_MS),
  servers: [...ownServers(config.TOOLS__URL, config.MCP__ALLOWED_TOOLS), ...config.MCP__SERVER_URLS],
  allowed: config.MCP__ALLOWED_TOOLS,
  timeoutMs: config.AGENT__TOOL_TIMEOUT_MS,
  waitMs: config.AGENT__TOOL_WAIT_MS,
})

const createWriters = (parts: ConstructorParameters<typeof SummaryWriter>[0]) => ({
  summaries: new SummaryWriter(parts),
  titles: new TitleWriter(parts),
})

/** `working` is for what works on a run, which ends in order also when its session is deleted meanwhile. */
function unitsOfWork(database: Database<ChatAgentTables>) {
  const uow = createChatAgentUnitOfWork(database)
  return { uow, working: { ...uow, in: uow.inWithDeleted } }
}

/** The services of the chat-agent, without their transport. */
export function createServices(config: Config, dependencies: Dependencies) {
  const { database, live, waker, grants, groups, logger } = dependencies
  const { uow, working } = unitsOfWork(database)
  const sealer = createSealer(database, parseKeyRing(config.SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET))
  const { specs, registry, model, vision } = createModels(config, { uow, sealer, logger })
  const tools = toolsOf(config, logger)
  const writer = new EntryWriter(working, logger)
  const { knowledge, cache } = createCache(config, { uow, model, tools: new OfferedTools(tools), logger })
  const finisher = new RunFinisher(working, { cache, titles: config.AGENT__TITLES })
  const { AGENT__MAX_ITERATIONS: maxIterations, LLM__WAIT_MS: modelWaitMs, LLM__CONTEXT_TOKENS: contextTokens } = config
  const runs = new RunService({ uow, sealer, writer, live, waker, finisher, contextTokens })
  const { endWithoutOwner: endWaiting } = runs
  return {
    uow,
    writer,
    knowledge,
    cache,
    model,
    modelBackends: registry,
    backendAdmin: new BackendAdmin({ uow, specs, registry, waker, transport: transportKeys(config) }),
    pulls: new PullService({ uow, registry, logger }),
    startRun: new StartRun({ ...dependencies, uow, sealer, endWaiting, models: model, vision, cache }),
    runs,
    steps: new StepService(uow, sealer),
    sessions: new SessionService({ uow, sealer, groups }),
    deletion: new SessionDeletion({ uow, sealer, waker, endWaiting, keepDays: config.DATA__KEEP_DELETED_DAYS }),
    branches: new BranchService(uow, sealer),
    responses: new ResponseService(uow, sealer, waker),
    toolRuns: new ToolRunService(uow, sealer),
    ...createWriters({ uow, sealer, model, logger }),
    checkTools: toolsCheck(tools),
    runner: new AgentRunner({
      uow: working,
      sealer,
      writer,
      live,
      grants,
      prompts: new SessionPrompts(groups, grants),
      model,
      tools,
      loop: new AgentLoop(working, model, new ToolCaller(working)),
      finisher,
      cache,
      maxIterations,
      modelWaitMs,
      contextTokens,
      logger,
    }),
  }
}

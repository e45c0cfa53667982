import type { ChatAgentTables } from '@youworker/database/owners/chat-agent/tables'
import type { Database } from '@youworker/database/connection/open'
import type { Slot } from '@youworker/database/jobs/worker'
import { parseKeyRing } from '@youworker/database/sealing/key-ring'
import { createSealer } from '@youworker/database/sealing/sealer'
import type { Logger } from '@youworker/runtime/logger'
import { createMcpPort } from './clients/mcp-client.ts'
import { OllamaModel } from './clients/ollama.ts'
import { OpenAiModel } from './clients/openai-model.ts'
import { ModelBackends } from './services/models/model-backends.ts'
import type { Config } from './config.ts'
import { AgentLoop } from './services/agent/agent-loop.ts'
import { AgentRunner } from './services/agent/agent-runner.ts'
import { EntryWriter } from './services/runs/entry-writer.ts'
import type { Grants, IsSignedIn, LivePublisher, Waker } from './services/ports.ts'
import type { LoadedRun } from './services/runs/load-run.ts'
import { ResponseService } from './services/responses/response-service.ts'
import { RunFinisher } from './services/runs/run-finisher.ts'
import { RunService } from './services/runs/run-service.ts'
import { ownServers } from './services/tools/mcp-servers.ts'
import { SessionService } from './services/sessions/session-service.ts'
import { StartRun } from './services/runs/start-run.ts'
import { ToolCaller } from './services/agent/tool-caller.ts'
import { toolsCheck } from './services/tools/tools-check.ts'
import { ToolDiscovery } from './services/tools/tool-discovery.ts'
import { ToolRunService } from './services/tools/tool-run-service.ts'
import { createChatAgentUnitOfWork } from './unit-of-work.ts'

interface Dependencies {
  readonly database: Database<ChatAgentTables>
  readonly live: LivePublisher
  readonly waker: Waker
  readonly reserve: () => Slot<LoadedRun> | undefined
  readonly isSignedIn: IsSignedIn
  readonly grants: Grants
  readonly logger: Logger
}

/** A server with OpenAI's protocol comes first: whoever names one wants it. */
function createModel(config: Config): ModelBackends {
  const { LLM__CHAT_MODEL: model, LLM__CONTEXT_TOKENS: contextTokens, LLM__STALL_MS: stallMs } = config
  const common = { model, contextTokens, stallMs }
  const ollama = new OllamaModel({ url: config.LLM__OLLAMA_BASE_URL, ...common })
  const { LLM__OPENAI_BASE_URL: url, LLM__OPENAI_API_KEY: apiKey } = config
  return new ModelBackends(url === undefined ? [ollama] : [new OpenAiModel({ url, apiKey, ...common }), ollama])
}

/** The services of the chat-agent, without their transport. */
export function createServices(config: Config, { database, live, waker, reserve, isSignedIn, grants, logger }: Dependencies) {
  const uow = createChatAgentUnitOfWork(database)
  const sealer = createSealer(database, parseKeyRing(config.SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET))
  const model = createModel(config)
  const tools = {
    port: createMcpPort(logger),
    discovery: new ToolDiscovery(config.AGENT__TOOL_WAIT_MS),
    servers: [...ownServers(config.TOOLS__URL), ...config.MCP__SERVER_URLS],
    allowed: config.MCP__ALLOWED_TOOLS,
    timeoutMs: config.AGENT__TOOL_TIMEOUT_MS,
    waitMs: config.AGENT__TOOL_WAIT_MS,
  }
  const writer = new EntryWriter(uow, logger)
  const finisher = new RunFinisher(uow)
  const loop = new AgentLoop(uow, model, new ToolCaller(uow))
  const { AGENT__MAX_ITERATIONS: maxIterations, LLM__WAIT_MS: modelWaitMs, LLM__CONTEXT_TOKENS: contextTokens } = config
  return {
    uow,
    writer,
    model,
    startRun: new StartRun({ uow, sealer, grants, live, waker, reserve, isSignedIn }),
    runs: new RunService({ uow, sealer, writer, live, waker, finisher, contextTokens }),
    sessions: new SessionService(uow, sealer, waker),
    responses: new ResponseService(uow, sealer, waker),
    toolRuns: new ToolRunService(uow, sealer),
    checkTools: toolsCheck(tools),
    runner: new AgentRunner({
      uow,
      sealer,
      writer,
      live,
      grants,
      model,
      tools,
      loop,
      finisher,
      maxIterations,
      modelWaitMs,
      contextTokens,
      logger,
    }),
  }
}

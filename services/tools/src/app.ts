import { ingestion } from '@youworker/contracts/ingestion'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { Config } from './config.ts'
import { listen } from './listen.ts'
import { ownHosts } from './routes/own-hosts.ts'
import { createToolRoutes } from './routes/tool-routes.ts'
import { datetimeServer } from './servers/datetime-server.ts'
import { ingestServer } from './servers/ingest-server.ts'
import { semanticServer } from './servers/semantic-server.ts'
import type { ToolServers } from './servers/tool.ts'
import { DocumentAdder } from './services/document-adder.ts'
import { KnowledgeService } from './services/knowledge-service.ts'

export interface Tools extends Service {
  readonly url: string
}

export async function startTools(config: Config, { logger, metricsAt }: ServiceContext): Promise<Tools> {
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'tools', logger }), closeNats)
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const documents = createClient(nats, ingestion)

  const knowledge = new KnowledgeService({ search: (query, scope) => documents.as(scope).search(query) })
  const byName: ToolServers = {
    datetime: datetimeServer(Date.now),
    semantic: semanticServer(knowledge),
    ingest: ingestServer(new DocumentAdder((scope) => documents.as(scope))),
  }
  const servers = Object.values(byName)
  const hosts = ownHosts(config.TOOLS__HOST, config.TOOLS__URL)

  // Loaded before the first call, whose caller does not wait for long.
  const mcp = async () => void (await import('./routes/answer-mcp-request.ts'))
  const readiness = stack.use(new Readiness({ nats: natsCheck(nats), keys: () => verifier.check(), mcp }))
  stack.use(await serveHealth(nats, 'tools', readiness, { logger, metricsAt }))
  const at = { host: config.TOOLS__HOST, port: config.TOOLS__PORT, from: config.CONNECTIONS__FROM }
  const listening = stack.use(await listen(createToolRoutes({ servers, hosts, verifier, logger }), at))
  const { url } = listening
  logger.info({ url, servers: servers.map(({ name }) => name) }, 'the tool servers listen')

  const resources = stack.move()
  return { url, readiness, drain: () => listening.drain(), [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

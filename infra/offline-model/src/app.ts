import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import type { Config } from './config.ts'
import { createOfflineModel } from './routes.ts'
import { ScriptFile } from './script.ts'

export interface OfflineModel extends Service {
  readonly url: string
}

export async function startOfflineModel(config: Config, { logger }: ServiceContext): Promise<OfflineModel> {
  const script = new ScriptFile(config.OFFLINE_MODEL__SCRIPT)
  await script.refresh()
  const app = createOfflineModel({ tokensPerSecond: config.OFFLINE_MODEL__TOKENS_PER_SECOND, script })
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false })
  if (!(server instanceof Server)) throw new TypeError('the adaptor gave no HTTP/1.1 server')
  server.listen(config.OFFLINE_MODEL__PORT, config.OFFLINE_MODEL__HOST)
  await once(server, 'listening')
  const { address, family, port } = server.address() as AddressInfo
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  logger.info({ url }, 'the offline model listens')
  const readiness = new Readiness({})
  return {
    url,
    readiness,
    async [Symbol.asyncDispose]() {
      await readiness[Symbol.asyncDispose]()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

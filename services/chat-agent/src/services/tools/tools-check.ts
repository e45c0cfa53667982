import type { HealthCheck } from '@youworker/runtime/health/health-report'
import type { McpServer } from './mcp-servers.ts'
import type { ToolPort } from './tool-port.ts'

/** Shorter than a round of readiness, for which a check that hangs has failed. */
const ANSWER_MS = 1_000
/** An answer is as good as new for so long. */
const FRESH_MS = 10_000

/** Whether our own tool servers answer. Without them the rest works, so this never rejects. */
export function toolsCheck({ port, servers }: { readonly port: ToolPort; readonly servers: readonly McpServer[] }): HealthCheck {
  const own = servers.filter((server) => server.own)
  let answeredAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (performance.now() - answeredAt < FRESH_MS) return undefined
    const signal = AbortSignal.timeout(ANSWER_MS)
    const answers = await Promise.all(own.map((server) => port.answers(server, signal)))
    const away = own.filter((_, index) => !answers[index]).map(({ name }) => name)
    if (away.length > 0) return `No answer from the tool servers (${away.join(', ')}); chats go on without their tools`
    answeredAt = performance.now()
    return undefined
  }
}

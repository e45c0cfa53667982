import { CHANGING_SERVERS, TOOL_SERVERS } from '@youworker/contracts/agent/tool-servers'
import type { z } from 'zod'

export interface McpServer {
  readonly name: string
  readonly url: string
  /** Ours: gets the run's token, and its search results become citations. */
  readonly own: boolean
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/i

/** Tool servers of the published Python system, each a container of its own. They are built in now, or not there yet. */
const PUBLISHED = /^https?:\/\/mcp[_-](web|semantic|datetime|ingest|units)(:|\/|$)/

/** `name=url,name=url` of MCP__SERVER_URLS. Messages contain no URL, which may hold a token. */
export function parseServerUrls(list: string, context: z.core.$RefinementCtx): McpServer[] {
  const entries = list.split(',').map((entry) => entry.trim())
  return entries.flatMap((entry, index) => {
    if (entry === '' || PUBLISHED.test(entry)) return []
    const [name = '', ...rest] = entry.split('=')
    const url = rest.join('=')
    const message = problemOf(name, url)
    if (message === undefined) return [{ name, url, own: false }]
    context.addIssue({ code: 'custom', message: `${NAME.test(name) ? name : `entry ${index + 1}`}: ${message}`, input: list })
    return []
  })
}

function problemOf(name: string, url: string): string | undefined {
  if (!NAME.test(name)) return 'must be name=url, the name of letters, digits, _ and -'
  if (TOOL_SERVERS.some((own) => own === name.toLowerCase())) return 'this name belongs to a built-in server; choose another'
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) return 'must be name=url with an http(s) URL'
  return undefined
}

/** `server/tool` or `server/*` of MCP__ALLOWED_TOOLS. */
export type AllowedTools = ReadonlySet<string>

export const isAllowedTool = (allowed: AllowedTools, server: string, tool: string): boolean =>
  allowed.has(`${server}/*`) || allowed.has(`${server}/${tool}`)

/** Our own servers that runs use, at `<TOOLS__URL>/<server>/mcp`. */
export function ownServers(toolsUrl: string | undefined, allowed: AllowedTools): McpServer[] {
  if (toolsUrl === undefined) return []
  const isUsed = (server: string) => !CHANGING_SERVERS.has(server) || [...allowed].some((tool) => tool.startsWith(`${server}/`))
  return TOOL_SERVERS.filter(isUsed).map((name) => ({ name, url: `${toolsUrl.replace(/\/$/, '')}/${name}/mcp`, own: true }))
}

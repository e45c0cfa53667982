/**
 * Our own MCP servers, each at `<TOOLS__URL>/<name>/mcp`, and their tools. Runs use those that change nothing. Foreign servers and tools may not take
 * these names: a tool of that name could pass for ours while our server is away.
 */
export const BUILT_IN_TOOLS = {
  semantic: ['knowledge_search'],
  datetime: ['current_datetime', 'convert_time'],
  ingest: ['add_url', 'add_text'],
} as const

export type ToolServerName = keyof typeof BUILT_IN_TOOLS
export type BuiltInTool<N extends ToolServerName = ToolServerName> = (typeof BUILT_IN_TOOLS)[N][number]

/** Servers of ours whose tools all change something: runs use only what MCP__ALLOWED_TOOLS names of them. */
export const CHANGING_SERVERS: ReadonlySet<string> = new Set<ToolServerName>(['ingest'])

export const TOOL_SERVERS = Object.keys(BUILT_IN_TOOLS) as ToolServerName[]
const TOOL_NAMES: ReadonlySet<string> = new Set(Object.values(BUILT_IN_TOOLS).flat())

export const isBuiltInTool = (name: string): boolean => TOOL_NAMES.has(name)

/** `_meta` key of a failed result of our own tools (MCP 2025-06-18): true when a service behind the tool is away and may be back soon. */
export const TOOL_AWAY = 'youworker/away'

/** `_meta` key of each call that an agent makes: the id of its tool run, the same when the call is repeated. */
export const TOOL_CALL_KEY = 'youworker/idempotency_key'

/** `_meta` key of a call of our search: the {@link FileSearch} that narrows it, which the model cannot change. */
export const SEARCH_SCOPE = 'youworker/file_search'

/** Our own MCP servers, each at `<TOOLS__URL>/<name>/mcp`. Runs use all of them, and external servers may not have their names. */
export const TOOL_SERVERS = ['semantic', 'datetime'] as const
export type ToolServerName = (typeof TOOL_SERVERS)[number]

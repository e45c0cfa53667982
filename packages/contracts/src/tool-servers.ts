/** Our own MCP servers, each at `<TOOLS__URL>/<name>/mcp`. Runs use them all; foreign servers may not take their names. */
export const TOOL_SERVERS = ['semantic', 'datetime'] as const
export type ToolServerName = (typeof TOOL_SERVERS)[number]

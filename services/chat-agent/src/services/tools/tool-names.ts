import { isBuiltInTool } from '@youworker/contracts/agent/tool-servers'

interface NamedTool {
  readonly server: string
  readonly name: string
  readonly own: boolean
}

/**
 * Tools by their name for the model: the server's own, or `<server>_<tool>` when an earlier server has that name, or when a foreign tool
 * has the name of a built-in one.
 */
export function nameTools<T extends NamedTool>(tools: readonly T[]): Map<string, T> {
  const named = new Map<string, T>()
  for (const tool of tools) {
    const isTaken = named.has(tool.name) || (!tool.own && isBuiltInTool(tool.name))
    const name = isTaken ? `${tool.server}_${tool.name}` : tool.name
    if (!named.has(name)) named.set(name, tool)
  }
  return named
}

/** Tools that `disable_web` removes. */
export const isWebTool = ({ server, name }: { readonly server: string; readonly name: string }): boolean =>
  /^web/i.test(name) || /^web/i.test(server)

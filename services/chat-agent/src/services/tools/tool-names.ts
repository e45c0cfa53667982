/** Tools by their name for the model: the server's own, or `<server>_<tool>` when an earlier server has that name. */
export function nameTools<T extends { readonly server: string; readonly name: string }>(tools: readonly T[]): Map<string, T> {
  const named = new Map<string, T>()
  for (const tool of tools) {
    const name = named.has(tool.name) ? `${tool.server}_${tool.name}` : tool.name
    if (!named.has(name)) named.set(name, tool)
  }
  return named
}

/** Tools that `disable_web` removes. */
export const isWebTool = ({ server, name }: { readonly server: string; readonly name: string }): boolean =>
  /^web/i.test(name) || /^web/i.test(server)

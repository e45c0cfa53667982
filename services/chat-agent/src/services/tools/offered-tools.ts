import type { ModelTool } from '../models/model-port.ts'
import { type AllowedTools, isAllowedTool, type McpServer } from './mcp-servers.ts'
import type { ToolDiscovery } from './tool-discovery.ts'
import { isWebTool, nameTools } from './tool-names.ts'
import type { ToolDescription } from './tool-port.ts'

export interface OfferedTool extends ToolDescription {
  readonly server: string
  /** From one of our servers: its search results become citations. */
  readonly own: boolean
}

interface OfferOptions {
  readonly servers: readonly McpServer[]
  /** Of foreign servers, and of ours those that change something: all others are not offered. */
  readonly allowed: AllowedTools
  readonly disable_web: boolean
  /** Nothing but the search of our own. */
  readonly only_search?: boolean
}

/** Our search of the documents. */
export const SEARCH = 'knowledge_search'

/** Of the tools that servers have, those that a run may use, by their name for the model. */
export function offersOf(
  found: ReadonlyMap<string, readonly ToolDescription[]>,
  { servers, allowed, disable_web, only_search = false }: OfferOptions,
): Map<string, OfferedTool> {
  const offered = servers.flatMap((server) =>
    (found.get(server.name) ?? [])
      .filter(({ name, read_only }) => (server.own && read_only) || isAllowedTool(allowed, server.name, name))
      .map((tool): OfferedTool => ({ ...tool, server: server.name, own: server.own })),
  )
  const wanted = only_search ? offered.filter(({ own, name }) => own && name === SEARCH) : offered
  return nameTools(wanted.filter((tool) => !(disable_web && isWebTool(tool))))
}

export const toModelTools = (offers: ReadonlyMap<string, OfferedTool>): ModelTool[] =>
  [...offers].map(([name, { description, parameters }]) => ({ name, description, parameters }))

interface ToolSettings extends Pick<OfferOptions, 'servers' | 'allowed'> {
  readonly discovery: ToolDiscovery
}

/** The tools that a run would be offered, as far as this process knows. */
export class OfferedTools {
  readonly #settings: ToolSettings

  constructor(settings: ToolSettings) {
    this.#settings = settings
  }

  /** `undefined` when some server was not asked yet. */
  known({ disable_web }: { readonly disable_web: boolean }): ModelTool[] | undefined {
    const { discovery, ...settings } = this.#settings
    const found = discovery.known(settings.servers)
    return found && toModelTools(offersOf(found, { ...settings, disable_web }))
  }
}

import type { ClientTool, ConversationMessage, ModelParameters } from '@youworker/contracts/agent/model'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { sealContext } from '../sealed-fields.ts'

/** What a run was asked for beside its text. */
export interface RunSettings {
  /** Added to the system prompt. */
  readonly instructions?: string | undefined
  readonly parameters?: ModelParameters | undefined
  /** The model itself, without the agent's prompt. */
  readonly plain?: boolean | undefined
  /** What the model is given in place of the session's messages. */
  readonly conversation?: readonly ConversationMessage[] | undefined
  readonly client_tools?: readonly ClientTool[] | undefined
  /** Entries are sent live only once they are stored. */
  readonly append_only?: boolean | undefined
}

export function sealSettings(space: SpaceSealer, runId: string, settings: RunSettings): Buffer | null {
  const json = JSON.stringify(settings)
  return json === '{}' ? null : space.sealText(json, sealContext.settings(runId))
}

/** Written by this service from the same type. */
export const unsealSettings = (space: SpaceSealer, { id, settings }: Pick<RunRow, 'id' | 'settings'>): RunSettings =>
  settings === null ? {} : (JSON.parse(space.openText(settings, sealContext.settings(id))) as RunSettings)

import type { FileSearch } from '@youworker/contracts/agent/file-search'
import type { Strategy } from '@youworker/contracts/agent/chat-input'
import type { ClientTool, ConversationMessage, Image, ModelParameters } from '@youworker/contracts/agent/model'
import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { sealContext } from '../sealed-fields.ts'

/** As a conversation is stored: every result names its tool. */
export type StoredTurn =
  | Exclude<ConversationMessage, { role: 'tool' }>
  | (Extract<ConversationMessage, { role: 'tool' }> & { readonly tool_name: string })

/** Of a run that is a response of OpenAI's protocol. */
interface ResponseSettings {
  /** As it was sent, without the input. */
  readonly request: Record<string, unknown>
  /** How many messages at the end of the conversation it added. */
  readonly added: number
  /** Its session was named in the request, not made for it. */
  readonly in_session?: true | undefined
}

/** What a run was asked for beside its text. */
export interface RunSettings {
  /** Those of the session when it began, added to the system prompt before its own. */
  readonly session_instructions?: string | undefined
  /** The group of the session when it began, whose instructions come first. */
  readonly group_id?: string | undefined
  /** Its own, added to the system prompt. */
  readonly instructions?: string | undefined
  /** Tag of the answer's language. */
  readonly language?: string | undefined
  readonly parameters?: ModelParameters | undefined
  readonly strategy?: Strategy | undefined
  /** What the model thinks is told in the run's log. */
  readonly show_thinking?: boolean | undefined
  /** The model itself, without the agent's prompt. */
  readonly plain?: boolean | undefined
  /** What the model is given in place of the session's messages. */
  readonly conversation?: readonly StoredTurn[] | undefined
  /** Of the question. A conversation has its own. */
  readonly images?: readonly Image[] | undefined
  readonly client_tools?: readonly ClientTool[] | undefined
  /** Entries are sent live only once they are stored. */
  readonly append_only?: boolean | undefined
  /** Its searches look only there. */
  readonly file_search?: FileSearch | undefined
  readonly response?: ResponseSettings | undefined
  /**
   * Its answer may be one that was given before, and is kept. `scopes`: what the caller's credential may do; `by_group`: only if the
   * group wants it, as nothing was said in the request.
   */
  readonly cache?: { readonly scopes: readonly string[]; readonly by_group?: true | undefined } | undefined
}

export function sealSettings(space: SpaceSealer, runId: string, settings: RunSettings): Buffer | null {
  const json = JSON.stringify(settings)
  return json === '{}' ? null : space.sealText(json, sealContext.settings(runId))
}

/** Written by this service from the same type. */
export const unsealSettings = (space: SpaceSealer, { id, settings }: Pick<RunRow, 'id' | 'settings'>): RunSettings =>
  settings === null ? {} : (JSON.parse(space.openText(settings, sealContext.settings(id))) as RunSettings)

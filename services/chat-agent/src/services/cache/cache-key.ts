import type { RunRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { ownPrompt } from '../agent/system-prompt.ts'
import type { GroupPrompt } from '../ports.ts'
import type { KnownModel, ModelMessage, ModelTool } from '../models/model-port.ts'
import type { RunSettings } from '../runs/run-settings.ts'
import { chooseStrategy } from '../strategies/choose-strategy.ts'

/** What a run is asked, before anything was done about it. */
export interface Asked {
  readonly run: Pick<RunRow, 'space_id' | 'model' | 'enable_tools' | 'disable_web' | 'max_iterations'>
  readonly settings: RunSettings
  readonly history: readonly ModelMessage[]
  /** The question, and what the client did after it. */
  readonly messages: readonly ModelMessage[]
  /** That of the session, as it is now, if the user is in it. */
  readonly group?: GroupPrompt | undefined
}

/** What it is answered with. */
export interface Offered {
  readonly model: KnownModel
  readonly tools: readonly ModelTool[]
}

/** How a run is read, or what the conversation and its instructions have already. */
const NOT_ANSWERED = ['response', 'append_only', 'conversation', 'images', 'session_instructions', 'instructions'] as const

/**
 * The same for two runs of one user if all that an answer depends on is the same: the conversation with its images, and every setting,
 * those among them that this code does not know; the prompt; the model and where it is; the tools with their schemas; and what the
 * caller's credential may do.
 */
export function cacheKey(
  space: SpaceSealer,
  { run, settings, history, messages, group }: Asked,
  { model, tools }: Offered,
): Buffer {
  const { enable_tools, disable_web, max_iterations } = run
  const options = { enable_tools, disable_web, max_iterations }
  const { strategy: wanted, parameters } = settings
  const isFormed = parameters?.format !== undefined
  const strategy = chooseStrategy({ wanted, info: model, hasTools: tools.length > 0, isFormed })
  const prompt = ownPrompt(settings, strategy, strategy.offersTools ? tools : [])
  const told = [group?.instructions, settings.session_instructions, settings.instructions].filter((text) => text).join('\n\n')
  const given = { options, settings: settingsThatCount(settings), prompt, told, history, messages, model, tools }
  return space.digest(JSON.stringify(given), 'cached_answers.key')
}

/** What a variable stands for may change at any time and is known only once the run begins. */
export const isPromptKnown = ({ settings: { group_id, session_instructions }, group }: Pick<Asked, 'settings' | 'group'>) =>
  (group_id === undefined || group !== undefined) &&
  ![group?.instructions, session_instructions].some((text) => text?.includes('{{'))

/** In one order, and without what is empty: some clients leave out what others send so. */
const settingsThatCount = ({ cache, ...settings }: RunSettings) =>
  Object.entries({ ...settings, scopes: cache?.scopes })
    .filter(([name, value]) => !NOT_ANSWERED.some((other) => other === name) && !isEmpty(value))
    .toSorted(([one], [other]) => (one < other ? -1 : 1))

const isEmpty = (value: unknown): boolean =>
  value === undefined || value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

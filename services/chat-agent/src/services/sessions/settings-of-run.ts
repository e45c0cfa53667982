import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { RunSettings } from '../runs/run-settings.ts'
import { unsealInstructions } from '../sealed-fields.ts'
import type { Plan } from '../turns/plan.ts'

/** What a run keeps of the request that starts it, and of its session. */
export const settingsOf = (
  { input: { instructions, language, parameters, strategy, ...input }, conversation }: Plan,
  ofSession: Pick<RunSettings, 'session_instructions' | 'group_id'>,
  { caller }: UserContext,
): RunSettings => ({
  ...ofSession,
  instructions: instructions || undefined,
  language: language ?? undefined,
  parameters: parameters ?? undefined,
  strategy: strategy ?? undefined,
  plain: input.plain || undefined,
  show_thinking: input.show_thinking || undefined,
  append_only: input.append_only || undefined,
  file_search: input.file_search,
  conversation,
  images: input.images?.length ? input.images : undefined,
  client_tools: input.client_tools?.length ? input.client_tools : undefined,
  response: input.request && {
    request: input.request,
    added: input.conversation?.length ?? 0,
    in_session: input.session_id ? true : undefined,
  },
  cache:
    input.cache || (input.cache !== false && ofSession.group_id !== undefined)
      ? { scopes: caller.scopes.toSorted(), by_group: input.cache ? undefined : true }
      : undefined,
})

/** What a run keeps of its session as it is when the run begins. */
export const settingsOfSession = (
  space: SpaceSealer,
  session: Pick<SessionRow, 'id' | 'instructions' | 'group_id'>,
): Pick<RunSettings, 'session_instructions' | 'group_id'> => ({
  session_instructions: unsealInstructions(space, session),
  group_id: session.group_id ?? undefined,
})

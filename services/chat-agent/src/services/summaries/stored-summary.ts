import type { MessageRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ModelMessage } from '../models/model-port.ts'
import { sealContext } from '../sealed-fields.ts'

const ASKED = 'Summarise our conversation up to here.'
const TITLE = 'Summary of the earlier conversation:'

/**
 * Splits messages, newest first, at the newest summary: what stands before it is covered. The newest question never is, also when its
 * turn was covered since.
 */
export function sinceSummary<M extends Pick<MessageRow, 'role'>>(
  messages: readonly M[],
): { readonly summary: M | undefined; readonly messages: readonly M[] } {
  const question = messages.findIndex(({ role }) => role === 'user')
  const at = messages.findIndex(({ role }, index) => role === 'summary' && index > question)
  const newer = at < 0 ? messages : messages.slice(0, at)
  return { summary: at < 0 ? undefined : messages[at], messages: newer.filter(({ role }) => role !== 'summary') }
}

/** A summary as a model is shown it: words of its own, which say no more than its answers did, and never the system's. */
export const summaryTurns = (space: SpaceSealer, { id, content }: Pick<MessageRow, 'id' | 'content'>): ModelMessage[] => [
  { role: 'user', content: ASKED },
  { role: 'assistant', content: `${TITLE}\n\n${space.openText(content, sealContext.message(id))}` },
]

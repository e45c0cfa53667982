import type { RunState } from '../runs/run-state.ts'
import { cutText } from '@youworker/runtime/text/text'

const SEARCH = 'knowledge_search'

/** Ends an answer that reached `LIMITS.answer`. */
export const CUT = '\n\n(The answer was cut here: it reached its longest.)'
/** Most UTF-16 units of what is written under an answer. */
export const LONGEST_NOTICE = 400

const ONLY_OWN = 'The documents of your groups could not be searched for this answer: the group service did not respond.'

/** Written under an answer for which tools, or the documents of groups, could not be reached. */
export function awayNotice({ awayTools: tools, isIncomplete }: Pick<RunState, 'awayTools' | 'isIncomplete'>): string {
  if (tools.size === 0 && !isIncomplete) return ''
  const missing =
    tools.size === 0
      ? ONLY_OWN
      : tools.has(SEARCH)
        ? 'The documents could not be searched for this answer: the search did not respond.'
        : `Not everything needed for this answer could be used: ${cutText([...tools].join(', '), 200, '…')} did not respond.`
  return `\n\n(${missing} Ask again in a little while.)`
}

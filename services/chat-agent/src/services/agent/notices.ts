import type { LeftOut } from '@youworker/contracts/documents/search'
import type { RunState } from '../runs/run-state.ts'
import { cutText } from '@youworker/runtime/text/text'

const SEARCH = 'knowledge_search'

/** Ends an answer that reached `LIMITS.answer`. */
export const CUT = '\n\n(The answer was cut here: it reached its longest.)'
/** Most UTF-16 units of what is written under an answer. */
export const LONGEST_NOTICE = 400

const NOT_SEARCHED: Readonly<Record<LeftOut, string>> = {
  groups: 'The documents of your groups could not be searched for this answer: the group service did not respond.',
  index: 'Some documents could not be searched for this answer: they are still being put into the search index.',
}

/** Written under an answer for which tools, or some of the documents, could not be reached. */
export function awayNotice({ awayTools: tools, leftOut }: Pick<RunState, 'awayTools' | 'leftOut'>): string {
  if (tools.size === 0 && leftOut.length === 0) return ''
  const missing =
    tools.size === 0
      ? leftOut.map((what) => NOT_SEARCHED[what]).join(' ')
      : tools.has(SEARCH)
        ? 'The documents could not be searched for this answer: the search did not respond.'
        : `Not everything needed for this answer could be used: ${cutText([...tools].join(', '), 200, '…')} did not respond.`
  return `\n\n(${missing} Ask again in a little while.)`
}

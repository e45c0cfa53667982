import { cutText } from '@youworker/runtime/text/text'

const SEARCH = 'knowledge_search'

/** Ends an answer that reached `LIMITS.answer`. */
export const CUT = '\n\n(The answer was cut here: it reached its longest.)'
/** Most UTF-16 units of what is written under an answer. */
export const LONGEST_NOTICE = 400

/** Written under an answer for which these tools could not be reached. */
export function awayNotice(tools: ReadonlySet<string>): string {
  if (tools.size === 0) return ''
  const missing = tools.has(SEARCH)
    ? 'The documents could not be searched for this answer: the search did not respond.'
    : `Not everything needed for this answer could be used: ${cutText([...tools].join(', '), 200, '…')} did not respond.`
  return `\n\n(${missing} Ask again in a little while.)`
}

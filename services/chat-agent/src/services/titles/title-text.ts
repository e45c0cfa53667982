import { cleanText } from '@youworker/runtime/text/text'

const LONGEST = 80
/** Marks of Markdown, quotes and blanks. */
const AROUND = ' \t*_`~|"\'“”„‟‘’‚‛«»‹›「」『』《》'.split('')
const BEFORE = new Set([...AROUND, '#', '>', '-', '–', '—'])
const BEHIND = new Set([...AROUND, '.', ':', ';', ',', '。', '、'])
/** Models like to say what they write. */
const LABEL = /^(?:title|titel|titre|título|titolo) ?[:：] ?/iu

/** The title in what a model wrote for one, without what stands around it; `undefined` when there is none. */
export function titleIn(text: string): string | undefined {
  const line = text.split('\n').find((candidate) => stripped(candidate) !== '') ?? ''
  const plain = cleanText(stripped(line), { lines: 'join' })
  return cleanText(stripped(plain.replace(LABEL, '')), { lines: 'join', max: LONGEST, mark: '…' }) || undefined
}

function stripped(text: string): string {
  const signs = text.trim().split('')
  const first = signs.findIndex((sign) => !BEFORE.has(sign))
  const last = signs.findLastIndex((sign) => !BEHIND.has(sign))
  return first === -1 ? '' : signs.slice(first, last + 1).join('')
}

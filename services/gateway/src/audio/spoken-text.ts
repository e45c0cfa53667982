import { cutText } from '@youworker/runtime/text/text'

/** UTF-16 units: about two minutes of speech. */
export const MOST_SPOKEN = 2_000

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' })

/** What of an answer is read aloud: its words without marks of citations and Markdown, up to the end of a sentence within the most. */
export function spokenText(answer: string): { readonly text: string; readonly isCut: boolean } {
  // No mark is that long that a cut here would change what is said.
  const plain = withoutMarks(answer.slice(0, 4 * MOST_SPOKEN))
  if (plain.length <= MOST_SPOKEN) return { text: plain, isCut: answer.length > 4 * MOST_SPOKEN }
  let end = 0
  for (const { index, segment } of sentences.segment(plain.slice(0, MOST_SPOKEN + 1))) {
    if (index + segment.trimEnd().length > MOST_SPOKEN || index + segment.length > MOST_SPOKEN) break
    end = index + segment.length
  }
  if (end > 0) return { text: plain.slice(0, end).trim(), isCut: true }
  const within = cutText(plain, MOST_SPOKEN)
  const blank = within.lastIndexOf(' ')
  return { text: (blank > 0 ? within.slice(0, blank) : within).trim(), isCut: true }
}

/** Linear in the length of the text: each mark has a longest length. */
const withoutMarks = (text: string): string =>
  text
    .replace(/ ?\[\d{1,4}\]/g, '')
    .replace(/!?\[([^\][\n]{1,300})\]\([^()\n]{1,1000}\)/g, '$1')
    .replace(/^[ \t]{0,10}(?:#{1,6}|>|[-*+]|\d{1,3}[.)])[ \t]{1,10}/gm, '')
    .replace(/[*_~`]{1,3}/g, '')
    .replace(/[ \t]{2,100}/g, ' ')
    .trim()

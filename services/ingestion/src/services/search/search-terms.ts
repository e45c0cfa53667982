/** Scripts that are written without spaces between words (or with long inflected ones): found by pairs of characters. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+/gu
const WORD = /[\p{L}\p{N}\p{M}]+/gu
const MAX_TERMS = 64
const MAX_TERM_LENGTH = 64

/** English words that do not show the topic of a question. */
const STOP_WORDS = new Set(
  'a an and are as at be by can could did do does for from had has have how i if in is it its many me much my of on or our shall she should so that the their them there these they this to us was we were what when where which who why will with would you your'.split(
    ' ',
  ),
)

export const isUnspaced = (term: string): boolean => term.match(UNSPACED)?.[0] === term

/** What the lexical index holds of a text: its words as they stand, and pairs of characters of the unspaced scripts. */
export function indexedText(text: string): { words: string; grams: string } {
  const normal = text.normalize('NFKC')
  const grams: string[] = []
  for (const [run] of normal.matchAll(UNSPACED)) {
    const letters = Array.from(run)
    grams.push(...letters, ...pairs(letters))
  }
  return { words: normal.replace(UNSPACED, ' '), grams: grams.join(' ') }
}

/** The terms of a query, each letters and digits only, at most 64. Words like `the` count only when there is nothing else. */
export function searchTerms(query: string): string[] {
  const normal = query.normalize('NFKC').toLowerCase()
  const grams = [...normal.matchAll(UNSPACED)].flatMap(([run]) => {
    const letters = Array.from(run)
    return letters.length === 1 ? letters : pairs(letters)
  })
  const words = [...normal.replace(UNSPACED, ' ').matchAll(WORD)].map(([word]) =>
    Array.from(word).slice(0, MAX_TERM_LENGTH).join(''),
  )
  const topical = words.filter((word) => !STOP_WORDS.has(word))
  const terms = topical.length + grams.length > 0 ? [...topical, ...grams] : words
  return [...new Set(terms)].slice(0, MAX_TERMS)
}

const pairs = (letters: readonly string[]): string[] =>
  letters.slice(1).map((letter, index) => `${letters[index] ?? ''}${letter}`)

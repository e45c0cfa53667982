/** Scripts written without spaces: every pair of adjacent characters counts as a word. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー\p{M}]+|\p{N}+(?:[.,]\p{N}+)*|[\p{L}\p{N}\p{M}]+(?:['’]\p{L}+)*/gu

/** Words of a text in order: lower case, Latin accents folded, `1,500` as `1500`, unspaced scripts as character pairs. */
export function wordsOf(text: string): string[] {
  const folded = text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC')
    .toLowerCase()
  return (folded.match(WORD) ?? []).flatMap((word) => {
    if (UNSPACED.test(word)) return pairsOf(word)
    if (/^\p{N}/u.test(word)) return [word.replaceAll(',', '')]
    return [word.replace(/['’]s$/, '').replaceAll(/['’]/g, '')]
  })
}

function pairsOf(run: string): string[] {
  const characters = Array.from(run)
  if (characters.length < 2) return characters
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`)
}

const VOWEL = /[aeiouy]/

/** A light English stemmer: `leave, leaves, leaving` share a stem, so do `policy, policies`. Other languages stay nearly unchanged. */
export function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word
  let root = singular(word)
  for (const ending of ['ingly', 'edly', 'ing', 'ed', 'ly']) {
    const rest = root.slice(0, -ending.length)
    if (root.endsWith(ending) && rest.length >= 3 && VOWEL.test(rest)) {
      root = rest.replace(/([bdfgmnprt])\1$/, '$1')
      break
    }
  }
  if (root.length > 3 && root.endsWith('e')) return root.slice(0, -1)
  return root.length > 3 && root.endsWith('y') ? `${root.slice(0, -1)}i` : root
}

function singular(word: string): string {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(?:ss|x|ch|sh|zz)es$/.test(word)) return word.slice(0, -2)
  return word.endsWith('s') && !/(?:ss|us|is)$/.test(word) ? word.slice(0, -1) : word
}

const STOP_WORDS = new Set(
  (
    'a about above after again all also am an and any are as at be been before being below between both but by can cannot could did do does ' +
    'doing done dont down during each else ever few for from further get gets give given go goes got had has have having he her here hers him his how however i if ' +
    'im in into is it its itself just let like made make makes many may me might more most much must my need needs no nor not now of off often on once only ' +
    'or other our ours out over own per please same shall she should so some such take takes tell than that the their them then there these they thing ' +
    'things this those through to too under until up upon us use used very want was we well were what whats when where whether which while who whom whose ' +
    'why will with within without would yes yet you your yours'
  ).split(' '),
)

export const isStopWord = (word: string): boolean => STOP_WORDS.has(word)

/** Stems of the words that are not stop words, in order. */
export const contentStems = (text: string): string[] =>
  wordsOf(text)
    .filter((word) => !isStopWord(word))
    .map(stem)

import { fold } from './fold.ts'
import type { Token } from './tokens.ts'

/** Something that is found by one term or by several forms of it. */
export interface Word {
  /** `fixed`: no stem is taken of it. */
  readonly kind: 'word' | 'fixed'
  readonly text: string
}

/** What a token is found by. A query asks only for `words`; a text is also found by the `details`. */
export interface TokenWords {
  readonly words: readonly Word[]
  readonly details: readonly Word[]
}

const SIGNS = { '++': 'plusplus', '#': 'sharp', '.': 'dot', '': '' } as const
/** Words before an apostrophe that only bend to the next one, in French, Italian and Catalan. */
const ELISIONS = new Set('l d j m n s t c qu jusqu lorsqu puisqu quoiqu dell all nell sull dall un quell quest sant'.split(' '))
const ENDINGS = new Set(['s', 't', 'll', 're', 've', 'd', 'm'])
const HUMP = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u
const APOSTROPHE = /^['’]$/
const IN_LOWER_CASE = /^.[^A-Z\u0080-\uFFFF]*$/u
const NONE: readonly Word[] = []
const MAX_LENGTH = 64

const fixed = (text: string): Word => ({ kind: 'fixed', text })
const word = (text: string): Word => ({ kind: 'word', text })

export function wordsOf(token: Token): TokenWords {
  if (token.kind === 'emoji') return { words: [fixed(emojiTerm(token.parts[0] ?? ''))], details: [] }
  if (token.kind === 'unspaced') return pairs(Array.from(token.parts.join('')))
  if (token.kind === 'number') return numberWords(token)
  if (token.sign !== '') return signedWords(token)
  return compoundWords(withoutClitics(token))
}

/** `u1f600`: adapters of the index take letters and digits only. */
const emojiTerm = (emoji: string): string => Array.from(emoji, (sign) => `u${sign.codePointAt(0)?.toString(16)}`).join('')

/** Overlapping pairs of characters; a single one is found in every text that has it. */
function pairs(letters: readonly string[]): TokenWords {
  if (letters.length === 1) return { words: letters.map(fixed), details: [] }
  return { words: letters.slice(1).map((letter, n) => fixed(`${letters[n] ?? ''}${letter}`)), details: letters.map(fixed) }
}

/** `1,234.50`, `1.234,50` and `1 234,50` are one number; a point or comma that divides no thousands begins decimals. */
function numberWords({ parts, gaps }: Token): TokenWords {
  const digits = parts.map(fold)
  const [first = '', ...rest] = digits
  if (rest.length === 0) return { words: [fixed(first)], details: [] }
  const groups = thousands(digits, gaps)
  const decimals = digits.length - groups === 1 && /^[.,]$/.test(gaps.at(-1) ?? '') ? `p${digits.at(-1) ?? ''}` : undefined
  const whole = digits.slice(0, Math.max(1, groups)).join('')
  const details = digits.map(fixed)
  if (groups === digits.length) return { words: [fixed(whole)], details }
  if (decimals !== undefined) return { words: [fixed(`${whole}${decimals}`)], details: groups > 1 ? [] : details }
  // A version, a date or an address keeps together; numbers in a list with commas do not.
  const isList = gaps.some((gap) => !/^[-./:\u2010-\u2013]+$/.test(gap))
  return isList ? { words: details, details: [] } : { words: [fixed(digits.join('')), ...details], details: [] }
}

/** How many of the first groups make one number with the same sign between thousands. */
function thousands(digits: readonly string[], gaps: readonly string[]): number {
  const [sign] = gaps
  if (sign === undefined || !/^[.,'’\s]$/.test(sign) || (digits[0]?.length ?? 4) > 3) return 1
  const end = gaps.findIndex((gap, n) => gap !== sign || digits[n + 1]?.length !== 3)
  return end === -1 ? digits.length : end + 1
}

/** `C++` is not `C`, but `notepad++` may be asked for as `notepad`. */
function signedWords({ parts, sign }: Token): TokenWords {
  const last = parts.at(-1) ?? ''
  const name = fold(last.toLowerCase())
  const signed = sign === '.' ? `dot${name}` : `${name}${SIGNS[sign]}`
  const others = parts.slice(0, -1).flatMap(humps)
  return { words: [...others.map(word), fixed(signed)], details: name.length > 1 && sign !== '.' ? [word(last)] : [] }
}

/** Each part and the whole: `getUserById` is found by `user` and, before others, by its own name. */
function compoundWords(parts: readonly string[]): TokenWords {
  const [only] = parts
  if (only !== undefined && parts.length === 1 && IN_LOWER_CASE.test(only)) return { words: [word(only)], details: NONE }
  const pieces = parts.flatMap(humps)
  if (pieces.length < 2) return { words: pieces.map(word), details: [] }
  const whole = pieces.join('')
  const telling = pieces.filter((piece) => Array.from(piece).length > 1 || /\p{N}/u.test(piece))
  return { words: [...(Array.from(whole).length <= MAX_LENGTH ? [word(whole)] : []), ...telling.map(word)], details: [] }
}

const humps = (part: string): string[] => part.split(HUMP)

/** `l'été` is `été`, `employee's` is `employee`. */
function withoutClitics({ parts, gaps }: Token): string[] {
  if (!gaps.some((gap) => APOSTROPHE.test(gap))) return [...parts]
  return parts.filter((part, n) => {
    const lower = part.toLowerCase()
    const isElided = APOSTROPHE.test(gaps[n] ?? '') && ELISIONS.has(lower)
    const isEnding = n > 0 && APOSTROPHE.test(gaps[n - 1] ?? '') && ENDINGS.has(lower)
    return !isElided && !isEnding
  })
}

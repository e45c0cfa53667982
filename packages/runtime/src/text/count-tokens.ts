import { cutText } from './text.ts'

const WORD_OR_SIGN =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]|[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu
const LETTERS_PER_TOKEN = 5
/** No word of a language is longer: keys, hashes and base64, of which a tokenizer makes many more tokens. */
const LONGEST_WORD = 40
const LETTERS_PER_TOKEN_OF_NO_WORD = 2

/**
 * About how many tokens a model's tokenizer makes of a text: a short word, a CJK character or a sign is one, longer words are one
 * for every five letters. Needs no model; within 20 % of common BPE vocabularies on English prose. Takes linear time.
 */
/** About what a model makes of one image. */
export const IMAGE_TOKENS = 800

export function countTokens(text: string): number {
  let tokens = 0
  for (const [word] of text.matchAll(WORD_OR_SIGN)) tokens += tokensOf(word)
  return tokens
}

/** The longest beginning of a text that is within `max` tokens. */
export function cutTokens(text: string, max: number): string {
  let left = Math.max(0, max)
  for (const { 0: word, index } of text.matchAll(WORD_OR_SIGN)) {
    const tokens = tokensOf(word)
    if (tokens > left) {
      const fits = word.length > LONGEST_WORD ? left * LETTERS_PER_TOKEN_OF_NO_WORD : 0
      return cutText(text, index + fits)
    }
    left -= tokens
  }
  return text
}

function tokensOf(word: string): number {
  if (word.length <= LETTERS_PER_TOKEN + 1) return 1
  return Math.ceil(word.length / (word.length > LONGEST_WORD ? LETTERS_PER_TOKEN_OF_NO_WORD : LETTERS_PER_TOKEN))
}

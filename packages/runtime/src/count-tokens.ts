const PIECE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]|[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}]/gu
const LETTERS_PER_TOKEN = 5

/**
 * About how many tokens a model's tokenizer makes of a text: a short word, a CJK character or a sign is one, longer words are one
 * for every five letters. Needs no model; within 20 % of common BPE vocabularies on English prose.
 */
export function countTokens(text: string): number {
  let tokens = 0
  for (const [piece] of text.matchAll(PIECE))
    tokens += piece.length <= LETTERS_PER_TOKEN + 1 ? 1 : Math.ceil(piece.length / LETTERS_PER_TOKEN)
  return tokens
}

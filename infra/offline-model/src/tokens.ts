const TOKEN =
  /\s*[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]{1,2}\p{M}*|\s*[\p{L}\p{N}][\p{L}\p{N}\p{M}]{0,7}|\s*[^\s\p{L}\p{N}]\p{M}*|\s+/gu

/** Splits a text into tokens about as long as a model's. Joined, they are the text. */
export const tokensOf = (text: string): string[] => text.match(TOKEN) ?? []

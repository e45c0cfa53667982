/** Letters without a decomposition, with what people type in their stead. */
const LATIN = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ħ: 'h', ı: 'i', ł: 'l', ŋ: 'n', ŧ: 't' }
/** Forms of alef, yeh, teh marbuta and kaf; tatweel only stretches a word. */
const ARABIC = { أ: 'ا', إ: 'ا', آ: 'ا', ٱ: 'ا', ى: 'ي', ی: 'ي', ة: 'ه', ک: 'ك', ـ: '' }
const HEBREW_FINALS = { ך: 'כ', ם: 'מ', ן: 'נ', ף: 'פ', ץ: 'צ' }
const LETTERS = new Map(Object.entries({ ...LATIN, ...ARABIC, ...HEBREW_FINALS }))

/** Marks that can be left out in writing. Those of Indic scripts and of kana are part of their letters. */
const ACCENTS = new RegExp(
  [
    String.raw`[\u0300-\u036F\u1AB0-\u1AFF\u1DC0-\u1DFF]`,
    String.raw`[\u0483-\u0487]`,
    String.raw`[\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7]`,
    String.raw`[\u0610-\u061A\u064B-\u065F\u0670]`,
    String.raw`\p{Variation_Selector}`,
  ].join('|'),
  'gu',
)
const EASTERN_DIGITS = /[\u0660-\u0669\u06F0-\u06F9]/gu
const NOT_ASCII = /[^\0-\u007F]/u

export const isAscii = (text: string): boolean => !NOT_ASCII.test(text)

/** Lower case in the language: in Turkish, `I` is the capital of `ı`. */
export const lowerCase = (text: string, language: string): string =>
  language === 'tr' || language === 'az' ? text.toLocaleLowerCase('tr') : text.toLowerCase().replaceAll('i\u0307', 'i')

/** A lower-case word without accents and in plain letters, so that `straße` and `strasse`, `łódź` and `lodz` are one. */
export function fold(word: string): string {
  if (isAscii(word)) return word
  const bare = word.normalize('NFKD').replace(ACCENTS, '').normalize('NFKC')
  const western = bare.replace(EASTERN_DIGITS, (digit) => String((digit.codePointAt(0) ?? 0) & 0xf))
  return Array.from(western, (letter) => LETTERS.get(letter) ?? letter).join('')
}

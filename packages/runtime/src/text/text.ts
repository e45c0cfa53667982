/** At most `max` UTF-16 units, `mark` included, without cutting a surrogate pair in half. Only a text that was cut ends with `mark`. */
export function cutText(text: string, max: number, mark = ''): string {
  if (text.length <= max) return text
  const end = Math.max(0, max - mark.length)
  const isInsidePair = /^[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(end - 1, end + 1))
  return `${text.slice(0, isInsidePair ? end - 1 : end)}${mark}`
}

interface CleanOptions {
  /** UTF-16 units of the result. */
  readonly max?: number
  /** Ends a text that was cut. */
  readonly mark?: string
  /** `join`, for names: every run of white space becomes one blank, none is left at either end, and nothing turns the direction of text. */
  readonly lines?: 'keep' | 'join'
  /** `mark`: a control character becomes U+FFFD, for text that must show what came. */
  readonly controls?: 'remove' | 'mark'
}

const CONTROLS = /(?![\t\n\r])\p{Cc}/gu
const WHITE_SPACE = /\s+/g
/** Written a second time here, because the confined parser of files can read nothing but this folder. */
const BIDI = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g

/**
 * Text from outside (a model, a file, a file's name, an error of another server) as Postgres, JSON and terminals take it: without
 * control characters other than tab and line ends, and without halves of surrogate pairs (they become U+FFFD).
 */
export function cleanText(text: string, options: CleanOptions = {}): string {
  const { max = Number.POSITIVE_INFINITY, mark = '', lines = 'keep', controls = 'remove' } = options
  const seen = text.replace(CONTROLS, controls === 'mark' ? '\uFFFD' : lines === 'join' ? ' ' : '')
  const plain = lines === 'join' ? seen.replace(BIDI, '').replace(WHITE_SPACE, ' ').trim() : seen
  // The cut comes first: afterwards U+FFFD would stand where a pair was cut in half.
  return cutText(plain, max, mark).toWellFormed()
}

/** Text of a model, a file or another user as a terminal shows it: its escape sequences and turns of direction do nothing. */
export const forTerminal = (text: string): string =>
  cleanText(text.replaceAll('\r\n', '\n')).replaceAll('\r', '').replace(BIDI, '')

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
  /** `join`: every run of white space becomes one blank, and none is left at either end. */
  readonly lines?: 'keep' | 'join'
  /** `mark`: a control character becomes U+FFFD, for text that must show what came. */
  readonly controls?: 'remove' | 'mark'
}

const CONTROLS = /(?![\t\n\r])\p{Cc}/gu
const WHITE_SPACE = /\s+/g

/**
 * Text from outside (a model, a file, a file's name, an error of another server) as Postgres, JSON and terminals take it: without
 * control characters other than tab and line ends, and without halves of surrogate pairs (they become U+FFFD).
 */
export function cleanText(text: string, options: CleanOptions = {}): string {
  const { max = Number.POSITIVE_INFINITY, mark = '', lines = 'keep', controls = 'remove' } = options
  const seen = text.replace(CONTROLS, controls === 'mark' ? '\uFFFD' : lines === 'join' ? ' ' : '')
  const plain = lines === 'join' ? seen.replace(WHITE_SPACE, ' ').trim() : seen
  // The cut comes first: afterwards U+FFFD would stand where a pair was cut in half.
  return cutText(plain, max, mark).toWellFormed()
}

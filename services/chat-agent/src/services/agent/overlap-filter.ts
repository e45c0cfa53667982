import { countTokens } from '@youworker/runtime/text/count-tokens'

/** Words (of `countTokens`) that an overlap must have: when it is the whole text, as when the model begins anew, and else. */
const LEAST_WORDS = { whole: 2, end: 4 }
const BLANK = /^\s/
const MARK = /\[\d{1,6}\]/g
const OPEN_MARK = /\[\d{0,6}$/
const LAST_MARK = /\[\d{1,6}\]$/
const LONGEST_TAIL = 64

/**
 * Continues a text that was begun. A model that ignores what it was given begins anew or repeats the end: the longest end of the text
 * that the new text begins with is dropped. What is not decided yet is held back, so nothing is shown twice. Blanks around the text and
 * the numbers of passages `[n]` do not count, because numbers that are no hit were removed from it.
 *
 * Knuth, Morris and Pratt (1977) with the new text as the pattern, which grows as it arrives: linear time.
 */
export class OverlapFilter {
  readonly #before: string
  /** The blanks and marks that the text before ends with. */
  readonly #tail: string
  readonly #beginsBlank: boolean
  /** New text that was not shown, as it came; arrays, because a string that grows and is read is copied each time. */
  #raw: string[] = []
  #isBlank = true
  /** The end of it that is not in the pattern yet, and where that begins. */
  #open = ''
  #scanned = 0
  /** The new text without marks and without blanks before it, and for each unit of it where it ends. */
  readonly #pattern: string[] = []
  readonly #ends: number[] = []
  /** Of each beginning of the pattern: the length of its longest border. */
  readonly #borders: number[] = []
  /** Position in `#before`, and how many units of the pattern match before it. */
  #at = 0
  #matched = 0
  #isDecided = false
  /** What else is dropped when it comes next. */
  #skipped = ''

  /** `before`: the text to continue; it may be empty. */
  constructor(before: string) {
    this.#beginsBlank = BLANK.test(before)
    this.#tail = tailOf(before.slice(-LONGEST_TAIL))
    this.#before = before
      .slice(0, before.length - this.#tail.length)
      .replace(MARK, '')
      .trimStart()
  }

  /** Returns the text that can be shown now. */
  push(text: string): string {
    if (this.#isDecided) return this.#skip(text)
    this.#raw.push(text)
    this.#isBlank &&= text.trim() === ''
    this.#extend(text, false)
    return !this.#isBlank && this.#search() ? this.#decide() : ''
  }

  /** Returns the text that is still held back; for the end of a whole answer. Blanks alone are no text. */
  end(): string {
    if (this.#isDecided) return this.#raw.join('')
    this.#extend('', true)
    if (this.#pattern.length === 0) return this.#isBlank ? '' : this.#raw.join('')
    while (!this.#search()) this.#matched = this.#borders[this.#matched - 1] ?? 0
    return this.#decide() + this.#raw.join('')
  }

  /** Takes over what came. A mark that may be unfinished waits for its end. */
  #extend(more: string, isEnd: boolean): void {
    const rest = this.#open + more
    const text = rest.slice(0, isEnd ? undefined : OPEN_MARK.exec(rest)?.index)
    this.#open = rest.slice(text.length)
    let from = 0
    for (const { index, 0: mark } of [...text.matchAll(MARK), { index: text.length, 0: '' }]) {
      for (let unit = from; unit < index; unit += 1) this.#append(text[unit] ?? '', this.#scanned + unit + 1)
      from = index + mark.length
    }
    this.#scanned += text.length
  }

  #append(unit: string, end: number): void {
    if (this.#pattern.length === 0 && unit.trim() === '') return
    let border = this.#borders.at(-1) ?? 0
    while (border > 0 && this.#pattern[border] !== unit) border = this.#borders[border - 1] ?? 0
    if (this.#pattern[border] === unit) border += 1
    this.#pattern.push(unit)
    this.#ends.push(end)
    this.#borders.push(border)
  }

  /** False when all of the pattern matches, and only more of it can decide. */
  #search(): boolean {
    while (this.#at < this.#before.length) {
      if (this.#matched === this.#pattern.length) return false
      if (this.#before[this.#at] === this.#pattern[this.#matched]) {
        this.#at += 1
        this.#matched += 1
      } else if (this.#matched > 0) this.#matched = this.#borders[this.#matched - 1] ?? 0
      else this.#at += 1
    }
    return true
  }

  #decide(): string {
    this.#isDecided = true
    const raw = this.#raw.join('')
    this.#raw = []
    if (!this.#isRepetition(this.#matched, raw)) return raw
    this.#skipped = this.#tail
    return this.#skip(raw.slice(this.#ends[this.#matched - 1]))
  }

  #skip(text: string): string {
    if (this.#skipped === '') return text
    const came = this.#raw.join('') + text
    const isOpen = came.length < this.#skipped.length && this.#skipped.startsWith(came)
    this.#raw = isOpen ? [came] : []
    if (isOpen) return ''
    const shown = came.startsWith(this.#skipped) ? came.slice(this.#skipped.length) : came
    this.#skipped = ''
    return shown
  }

  /**
   * A few words are chance. An end that repeats itself is what the text is about (a list, a refrain), and may go on. A blank that the text
   * did not begin with speaks for a model that goes on.
   */
  #isRepetition(length: number, raw: string): boolean {
    if (length === 0) return false
    const words = countTokens(
      this.#pattern
        .slice(0, length)
        .join('')
        .replace(/[^\p{L}\p{N}\s]/gu, ' '),
    )
    const isAnew = length === this.#before.length && BLANK.test(raw) === this.#beginsBlank
    return words >= (isAnew ? LEAST_WORDS.whole : LEAST_WORDS.end) && (this.#borders[length - 1] ?? 0) * 3 < length
  }
}

/** Blanks and marks, the last one perhaps unfinished, that a text ends with. */
function tailOf(text: string): string {
  let end = OPEN_MARK.exec(text)?.index ?? text.length
  for (;;) {
    const rest = text.slice(0, end).trimEnd()
    const next = LAST_MARK.exec(rest)?.index ?? rest.length
    if (next === end) return text.slice(end)
    end = next
  }
}

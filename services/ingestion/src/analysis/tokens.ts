import { isAscii } from './fold.ts'

/** Scripts written without spaces between words, or with long inflected ones: found by pairs of characters. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+/gu
const RUN = /[\p{L}\p{N}\p{M}]+|\p{Extended_Pictographic}|[\u{1F1E6}-\u{1F1FF}]{2}/gu
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u
const DIGITS = /^\p{Nd}+$/u
/** What joins the parts of one word, identifier, path, address or version. */
const CONNECTORS = /^[-+._/\\@:&~'’\u2010-\u2013]{1,3}$/u
const NUMBER_SEPARATOR = /^[.,'’ \u00A0\u2009\u202F]$/u
const SPACE = /^[ \u00A0\u2009\u202F]$/u
const SIGN = /^(?:\+\+|#)(?![\p{L}\p{N}+#])/u

export type TokenKind = 'word' | 'number' | 'unspaced' | 'emoji'

/** A word as it stands in a text. `parts` are its pieces, as in `user-repository.ts`; `gaps` what stands between them. */
export interface Token {
  readonly kind: TokenKind
  readonly parts: readonly string[]
  readonly gaps: readonly string[]
  /** As in C++, C# and .NET. */
  readonly sign: '++' | '#' | '.' | ''
  /** UTF-16 offsets into the text. */
  readonly start: number
  readonly end: number
}

interface Atom {
  readonly kind: TokenKind
  readonly text: string
  readonly start: number
  readonly end: number
}

export function* tokensOf(text: string): Generator<Token> {
  let pending: Atom[] = []
  for (const atom of atomsOf(text)) {
    const last = pending.at(-1)
    if (last && !isJoined(text, pending, last, atom)) {
      yield tokenOf(text, pending)
      pending = []
    }
    pending.push(atom)
  }
  if (pending.length > 0) yield tokenOf(text, pending)
}

function* atomsOf(text: string): Generator<Atom> {
  for (const { 0: run, index: start } of text.matchAll(RUN)) {
    if (!LETTER_OR_DIGIT.test(run)) {
      if (!/^\p{M}/u.test(run)) yield { kind: 'emoji', text: run, start, end: start + run.length }
      continue
    }
    if (isAscii(run)) yield wordAtom(run, start)
    else yield* spacedAndUnspaced(run, start)
  }
}

function* spacedAndUnspaced(run: string, start: number): Generator<Atom> {
  let done = 0
  for (const { 0: unspaced, index } of run.matchAll(UNSPACED)) {
    if (index > done) yield wordAtom(run.slice(done, index), start + done)
    done = index + unspaced.length
    yield { kind: 'unspaced', text: unspaced, start: start + index, end: start + done }
  }
  if (done < run.length) yield wordAtom(run.slice(done), start + done)
}

const wordAtom = (text: string, start: number): Atom => ({
  kind: DIGITS.test(text) ? 'number' : 'word',
  text,
  start,
  end: start + text.length,
})

/** Longer chains, such as a line of dots or a whole file of comma-separated numbers, are no single word. */
const MAX_PARTS = 16

function isJoined(text: string, pending: readonly Atom[], last: Atom, next: Atom): boolean {
  if (last.kind === 'unspaced' || last.kind === 'emoji' || next.kind === 'unspaced' || next.kind === 'emoji') return false
  if (next.start - last.end > 3 || next.start === last.end || pending.length >= MAX_PARTS) return false
  const gap = text.slice(last.end, next.start)
  if (last.kind === 'number' && next.kind === 'number' && pending.every(({ kind }) => kind === 'number')) {
    const before = pending.slice(1).map((atom, n) => text.slice(pending[n]?.end ?? 0, atom.start))
    return isNumberJoined(before, gap, last.text, next.text)
  }
  return CONNECTORS.test(gap) && !gap.startsWith('++')
}

/** One number with signs between thousands, or one date, version or address; never a mixture of the two, nor two numbers side by side. */
function isNumberJoined(before: readonly string[], gap: string, last: string, next: string): boolean {
  if (SPACE.test(gap)) return next.length === 3 && last.length <= 3 && before.every((sign) => SPACE.test(sign))
  const gaps = [...before, gap]
  return gaps.every((sign) => NUMBER_SEPARATOR.test(sign)) || gaps.every((sign) => CONNECTORS.test(sign))
}

function tokenOf(text: string, atoms: readonly Atom[]): Token {
  const start = atoms[0]?.start ?? 0
  const end = atoms.at(-1)?.end ?? start
  const kind = atoms.find((atom) => atom.kind !== 'number')?.kind ?? 'number'
  const sign = kind === 'word' ? signOf(text, atoms, start, end) : ''
  return {
    kind,
    parts: atoms.map((atom) => (isAscii(atom.text) ? atom.text : atom.text.normalize('NFKC'))),
    gaps: atoms.slice(1).map((atom, n) => text.slice(atoms[n]?.end ?? 0, atom.start)),
    sign,
    start: sign === '.' ? start - 1 : start,
    end: sign === '.' ? end : end + sign.length,
  }
}

function signOf(text: string, atoms: readonly Atom[], start: number, end: number): Token['sign'] {
  const after = SIGN.exec(text.slice(end, end + 4))?.[0]
  if (after === '++' || after === '#') return after
  const isNet = text[start - 1] === '.' && atoms.length === 1 && atoms[0]?.text.toLowerCase() === 'net'
  return isNet && !LETTER_OR_DIGIT.test(text[start - 2] ?? ' ') ? '.' : ''
}

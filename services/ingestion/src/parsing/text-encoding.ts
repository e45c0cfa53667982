import { analyse } from 'chardet'

/** How much of what is not ASCII is looked at for a legacy encoding. */
const SAMPLE = 65_536
/** Of the characters beyond ASCII: a file in UTF-8 with a broken byte here and there stays UTF-8. */
const MOST_BROKEN = 0.05
/** Bytes; fewer may be anything. */
const LEAST_UTF_16 = 8
/** Of the even or of the odd bytes: UTF-16 without a mark, in a script of Europe. */
const ZEROS_OF_UTF_16 = 0.4
/** A candidate counts when it is at least so near to the best one. */
const NEAR = 0.7

/** Characters that no text has, but nearly every binary file: controls other than tab, line ends, form feed, backspace and escape. */
const CONTROLS = new Set(
  Array.from({ length: 32 }, (_, code) => code).filter((code) => ![8, 9, 10, 11, 12, 13, 27].includes(code)),
)

/** Signs in the middle of a word, as a wrong encoding gives them. */
const INSIDE_WORDS = /\p{L}[^\p{L}\p{M}\p{N}\s'’‑.,:;/_()-]+(?=\p{L})/gu

/** Whether the beginning of a file is that of a text. A character may be cut at its end. */
export function isText(head: Uint8Array): boolean {
  if (utf16Of(head) !== undefined) return true
  if (head.includes(0)) return false
  return strictUtf8(head, { stream: true }) !== undefined || !head.some((byte) => CONTROLS.has(byte))
}

/** The text without its byte order mark; `undefined` when it is none: NUL is in no text, and Postgres does not store it. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const utf16 = utf16Of(bytes)
  const text = utf16 === undefined ? (strictUtf8(bytes) ?? nearlyUtf8(bytes) ?? legacy(bytes)) : decode(utf16, bytes)
  return text?.includes('\0') ? undefined : text
}

const decode = (encoding: string, bytes: Uint8Array): string => new TextDecoder(encoding).decode(bytes)

function strictUtf8(bytes: Uint8Array, options: { readonly stream?: boolean } = {}): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, options)
  } catch {
    return undefined
  }
}

function nearlyUtf8(bytes: Uint8Array): string | undefined {
  const text = decode('utf-8', bytes)
  let beyondAscii = 0
  let broken = 0
  for (const [sign] of text.matchAll(/[\u0080-\u{10FFFF}]/gu)) {
    beyondAscii += 1
    if (sign === '\uFFFD') broken += 1
  }
  return broken <= beyondAscii * MOST_BROKEN ? text : undefined
}

function utf16Of(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  if (bytes.length < LEAST_UTF_16) return undefined
  const sample = bytes.subarray(0, 4_096)
  const zeros: [even: number, odd: number] = [0, 0]
  for (const [at, byte] of sample.entries()) if (byte === 0) zeros[at % 2 === 0 ? 0 : 1] += 1
  const enough = (sample.length / 2) * ZEROS_OF_UTF_16
  const [even, odd] = zeros
  if (even === 0 && odd >= enough) return hasControls('utf-16le', sample) ? undefined : 'utf-16le'
  return odd === 0 && even >= enough && !hasControls('utf-16be', sample) ? 'utf-16be' : undefined
}

const hasControls = (encoding: string, sample: Uint8Array): boolean =>
  Array.from(decode(encoding, sample)).some((sign) => CONTROLS.has(sign.charCodeAt(0)))

/** By the frequencies of characters, and among what is likely the one that leaves words whole. */
function legacy(bytes: Uint8Array): string | undefined {
  if (bytes.some((byte) => CONTROLS.has(byte))) return undefined
  const sample = tellingPart(bytes)
  const found = analyse(sample).filter(({ name, confidence }) => confidence > 0 && !/^(?:ASCII|UTF-)/.test(name) && isKnown(name))
  const likely = found.filter(({ confidence }) => confidence >= (found[0]?.confidence ?? 0) * NEAR)
  const [best] = likely.map(({ name }) => ({ name, odd: oddSigns(name, sample) })).sort((a, b) => a.odd - b.odd)
  return decode(best?.name ?? 'windows-1252', bytes)
}

const oddSigns = (encoding: string, sample: Uint8Array): number => decode(encoding, sample).match(INSIDE_WORDS)?.length ?? 0

function isKnown(encoding: string): boolean {
  try {
    return new TextDecoder(encoding).encoding !== ''
  } catch {
    return false
  }
}

/** From the first byte beyond ASCII on, with a little before it. */
function tellingPart(bytes: Uint8Array): Uint8Array {
  const from = Math.max(0, bytes.findIndex((byte) => byte >= 0x80) - 1_024)
  return bytes.subarray(from, from + SAMPLE)
}

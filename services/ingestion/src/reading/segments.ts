import { familyOf, type FileMime } from '@youworker/contracts/file-types'

/** Longer files are read in parts of this length, so that memory does not grow with them. */
const SEGMENT_BYTES = 4 * 1024 * 1024
const LINE_END = 10
const QUOTE = 34
const HEAD = 4_096
/** Their lines can be read apart. */
const OF_LINES: ReadonlySet<string> = new Set(['text', 'markdown', 'code', 'json-lines', 'table'])

/** The bytes in parts that end with a line, for a type whose lines can be read apart; one part for any other. Each part of a table begins with its first row. */
export function* segmentsOf(mime: FileMime, bytes: Uint8Array): Generator<Uint8Array> {
  const family = familyOf(mime)
  // In UTF-16 the byte of a line end is half of a character.
  const isSplittable = OF_LINES.has(family) && bytes.length > 2 * SEGMENT_BYTES && !bytes.subarray(0, HEAD).includes(0)
  if (!isSplittable) return yield bytes
  const endOf = family === 'table' ? endOfRow : endOfParagraph
  const header = family === 'table' ? bytes.subarray(0, Math.min(endOfRow(bytes, 0, 1), HEAD)) : new Uint8Array()
  for (let from = 0; from < bytes.length;) {
    const to = endOf(bytes, from, SEGMENT_BYTES)
    const part = bytes.subarray(from, to)
    yield from === 0 || header.length === 0 ? part : Buffer.concat([header, part])
    from = to
  }
}

/** Behind the last empty line of the part, else behind its last line, else, for one line without end, between two characters. */
function endOfParagraph(bytes: Uint8Array, from: number, length: number): number {
  const limit = from + length
  if (limit >= bytes.length) return bytes.length
  for (let at = bytes.lastIndexOf(LINE_END, limit - 1); at > from; at = bytes.lastIndexOf(LINE_END, at - 1)) {
    if (bytes[at - 1] === LINE_END) return at + 1
    if (at < limit - HEAD) break
  }
  const line = bytes.lastIndexOf(LINE_END, limit - 1)
  if (line > from) return line + 1
  let end = limit
  while (end > limit - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return end
}

/** Behind the first line end after `length` that is in no quoted cell; a part is twice as long at most. */
function endOfRow(bytes: Uint8Array, from: number, length: number): number {
  const most = Math.min(bytes.length, from + length + SEGMENT_BYTES)
  let isQuoted = false
  for (let at = from; at < most; at += 1) {
    if (bytes[at] === QUOTE) isQuoted = !isQuoted
    else if (bytes[at] === LINE_END && !isQuoted && at - from + 1 >= length) return at + 1
  }
  return most
}

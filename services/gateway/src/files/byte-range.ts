export interface ByteRange {
  readonly first: number
  /** Inclusive. */
  readonly last: number
}

/**
 * RFC 9110 section 14.1.2, one range only. `undefined`: no header, or one that may be ignored (other unit, several ranges,
 * not well-formed). `unsatisfiable`: nothing of it is in the file.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return undefined
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Number(to)
  if (to !== '' && last < first) return undefined
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) }
}

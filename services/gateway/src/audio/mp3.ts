const HEAD = 4
const TAG_HEAD = 10
const VERSION_1 = 3
const LAYER_3 = 1
/** In kbit/s, by the version of MPEG (ISO 11172-3 section 2.4.2.3, ISO 13818-3 section 2.4.2.3). */
const BIT_RATES = {
  one: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  two: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
} as const
const SAMPLE_RATES = [44_100, 48_000, 32_000] as const
const DIVIDED_BY: Readonly<Record<number, number>> = { 3: 1, 2: 2, 0: 4 }

interface Frame {
  readonly sampleRate: number
  readonly kbits: number
  /** Bytes, with the header. */
  readonly length: number
}

function frameAt(bytes: Buffer, at: number): Frame | undefined {
  if (at + HEAD > bytes.length) return undefined
  const [sync = 0, kind = 0, rates = 0] = bytes.subarray(at, at + HEAD)
  if (sync !== 0xff || kind >> 5 !== 0b111 || ((kind >> 1) & 3) !== LAYER_3) return undefined
  const version = (kind >> 3) & 3
  const divisor = DIVIDED_BY[version]
  const kbits = BIT_RATES[version === VERSION_1 ? 'one' : 'two'][rates >> 4]
  const usual = SAMPLE_RATES[(rates >> 2) & 3]
  if (divisor === undefined || usual === undefined || !kbits) return undefined
  const sampleRate = usual / divisor
  const samples = version === VERSION_1 ? 144 : 72
  return { sampleRate, kbits, length: Math.floor((samples * kbits * 1_000) / sampleRate) + ((rates >> 1) & 1) }
}

/** Behind ID3's tag (id3.org/id3v2.4.0-structure, section 3.1), whose length has 7 bits in each byte. */
function afterTag(bytes: Buffer): number {
  if (bytes.toString('latin1', 0, 3) !== 'ID3' || bytes.length < TAG_HEAD) return 0
  return TAG_HEAD + bytes.subarray(6, TAG_HEAD).reduce((size, part) => size * 128 + (part & 127), 0)
}

/** Two frames in a row: the sign of one alone stands by chance in every tenth recording. `seconds` is right for a constant bit rate. */
export function readMp3(bytes: Buffer): { readonly sampleRate: number; readonly seconds: number } | undefined {
  const at = afterTag(bytes)
  const first = frameAt(bytes, at)
  if (!first) return undefined
  const next = at + first.length
  if (next !== bytes.length && !frameAt(bytes, next)) return undefined
  return { sampleRate: first.sampleRate, seconds: ((bytes.length - at) * 8) / (first.kbits * 1_000) }
}

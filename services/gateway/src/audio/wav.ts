/** RIFF's chunks: an id of four letters and a length of 32 bits (Microsoft, Multimedia Programming Interface 1.0, chapter 3). */
const CHUNK_HEAD = 8
const FMT = 16
const PCM = 1
const SAMPLE_BYTES = 2
/** Chunks that are looked at before the sound. */
const MOST_CHUNKS = 100

export interface WavFormat {
  readonly sampleRate: number
  readonly seconds: number
}

interface DataAt extends WavFormat {
  /** Offset of the samples. */
  readonly at: number
}

const isWav = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WAVE'

/** `undefined` when it is no WAV whose header can be read. */
export const readWav = (bytes: Buffer): WavFormat | undefined => dataOf(bytes)

function dataOf(bytes: Buffer): DataAt | undefined {
  if (!isWav(bytes)) return undefined
  let format: { readonly sampleRate: number; readonly byteRate: number } | undefined
  let at = 12
  for (let n = 0; n < MOST_CHUNKS && at + CHUNK_HEAD <= bytes.length; n++) {
    const id = bytes.toString('latin1', at, at + 4)
    const size = bytes.readUInt32LE(at + 4)
    at += CHUNK_HEAD
    if (id === 'fmt ' && at + FMT <= bytes.length) {
      format = { sampleRate: bytes.readUInt32LE(at + 4), byteRate: bytes.readUInt32LE(at + 8) }
    }
    if (id === 'data') {
      if (!format || format.sampleRate === 0 || format.byteRate === 0) return undefined
      // A recorder that was cut off has not written the length yet.
      const length = Math.min(size || Infinity, bytes.length - at)
      return { at, sampleRate: format.sampleRate, seconds: length / format.byteRate }
    }
    // Chunks begin at even offsets.
    at += size + (size % 2)
  }
  return undefined
}

/** Samples of 16 bits and one channel as a WAV file. */
export function wavOf(samples: Uint8Array, sampleRate: number): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(12 + CHUNK_HEAD + FMT + CHUNK_HEAD)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(head.length - CHUNK_HEAD + samples.length, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(FMT, 16)
  head.writeUInt16LE(PCM, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(sampleRate, 24)
  head.writeUInt32LE(sampleRate * SAMPLE_BYTES, 28)
  head.writeUInt16LE(SAMPLE_BYTES, 32)
  head.writeUInt16LE(8 * SAMPLE_BYTES, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(samples.length, 40)
  return Buffer.concat([head, samples])
}

/** A server that streams does not know the lengths when it writes them: players need the true ones. */
export function withTrueLengths(wav: Buffer): Buffer {
  const data = dataOf(wav)
  if (!data || data.at + wav.readUInt32LE(data.at - 4) <= wav.length) return wav
  wav.writeUInt32LE(wav.length - data.at, data.at - 4)
  wav.writeUInt32LE(wav.length - CHUNK_HEAD, 4)
  return wav
}

import type { Recording } from '@youworker/audio-server/audio-port'
import { AppError } from '@youworker/contracts/errors'
import { readMp3 } from './mp3.ts'
import { readWav, wavOf } from './wav.ts'

/** What a recording may be, with the ending that tells servers so. */
const MIME = {
  wav: 'audio/wav',
  webm: 'audio/webm',
  ogg: 'audio/ogg',
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  m4a: 'audio/mp4',
} as const
type Format = keyof typeof MIME

/** A recording whose content is what it says it is. */
export interface Sound {
  readonly bytes: Buffer<ArrayBuffer>
  readonly format: Format
  readonly mime: (typeof MIME)[Format]
}

export const recordingOf = ({ bytes, format, mime }: Sound): Recording => ({
  name: `speech.${format}`,
  mime,
  size: bytes.length,
  bytes: () => [bytes],
})

/** Samples of a recording without a header, when it says nothing else. */
export const USUAL_RATE = 16_000
const RATES = { least: 8_000, most: 48_000 } as const
const SAMPLE_BYTES = 2
const SECONDS = { least: 0.1, most: 3_600 } as const
const TAKEN =
  'WAV, WebM, Ogg, MP3, FLAC and M4A are taken, by their content, and with sample_rate plain samples of 16 bits (PCM16, mono, little-endian)'

/** What the first bytes say. */
function formatOf(bytes: Buffer): { readonly format: Format; readonly seconds?: number } | undefined {
  const start = bytes.toString('latin1', 0, 12)
  const wav = readWav(bytes)
  if (wav) return { format: 'wav', seconds: wav.seconds }
  if (start.startsWith('\x1A\x45\xDF\xA3')) return { format: 'webm' }
  if (start.startsWith('OggS')) return { format: 'ogg' }
  if (start.startsWith('fLaC')) return { format: 'flac' }
  if (start.slice(4, 8) === 'ftyp') return { format: 'm4a' }
  const mp3 = readMp3(bytes)
  return mp3 && { format: 'mp3', seconds: mp3.seconds }
}

/** Signs of files that people take for recordings: noise to a server that hears. */
const OTHER_FILES = ['RIFF', '%PDF', 'PK\x03\x04', '\x89PNG', '\xFF\xD8\xFF', 'GIF8', '\x1F\x8B']

/** Text, or a file of another kind. */
function isOther(bytes: Buffer): boolean {
  const start = bytes.toString('latin1', 0, 64)
  return OTHER_FILES.some((sign) => start.startsWith(sign)) || /^[\t\n\r\x20-\x7E]+$/.test(start)
}

const wrong = (field: string, message: string) => new AppError('VALIDATION_ERROR', message, { details: [{ field, message }] })

/**
 * Tells what a recording is by its content. With `sampleRate` what is nothing else are plain samples, which get a header. Throws
 * `UNSUPPORTED_MEDIA_TYPE` for everything else. `field` is the part of the request that holds it.
 */
export function readSound(bytes: Buffer<ArrayBuffer>, field: string, sampleRate?: number | null): Sound {
  if (bytes.length === 0) throw wrong(field, 'The recording is empty; record it again')
  const known = formatOf(bytes)
  if (known) return checked({ bytes, format: known.format, mime: MIME[known.format] }, field, known.seconds)
  if (sampleRate == null || isOther(bytes)) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', `This is no recording that can be read: ${TAKEN}`, {
      details: [{ field, message: 'is of an unknown format' }],
    })
  }
  if (sampleRate < RATES.least || sampleRate > RATES.most)
    throw wrong('sample_rate', `sample_rate must be from ${RATES.least} to ${RATES.most}`)
  if (bytes.length % SAMPLE_BYTES !== 0)
    throw wrong(field, 'Samples of 16 bits have an even number of bytes: the recording is cut')
  const seconds = bytes.length / SAMPLE_BYTES / sampleRate
  return checked({ bytes: wavOf(bytes, sampleRate), format: 'wav', mime: MIME.wav }, field, seconds)
}

function checked(sound: Sound, field: string, seconds: number | undefined): Sound {
  if (seconds === undefined) return sound
  if (seconds < SECONDS.least) throw wrong(field, `The recording is shorter than ${SECONDS.least} s; record it again`)
  if (seconds > SECONDS.most) throw wrong(field, `The recording is longer than ${SECONDS.most / 60} minutes; send it in parts`)
  return sound
}

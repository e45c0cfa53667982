import type { ConversationMessage, Image } from '@youworker/contracts/agent/model'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { readBase64 } from '../http/base64.ts'
import type { RequestContext } from '../http/request-context.ts'
import { refusal } from './run-input.ts'

/** Of a request's JSON without its images: leaves space for what is added when it is passed on, which must fit into one NATS request. */
export const TEXT_BYTES = 384 * 1024
/** The same with images. */
export const BODY_BYTES = LIMITS.wireWithImages - 64 * 1024

const SIGNS: readonly (readonly [sign: string, mime: Image['mime']])[] = [
  ['\x89PNG\r\n\x1A\n', 'image/png'],
  ['\xFF\xD8\xFF', 'image/jpeg'],
  ['GIF87a', 'image/gif'],
  ['GIF89a', 'image/gif'],
]

/** What an image is by its content; what the client calls it means nothing. */
function mimeOf(bytes: Buffer): Image['mime'] | undefined {
  const start = bytes.toString('latin1', 0, 12)
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return 'image/webp'
  return SIGNS.find(([sign]) => start.startsWith(sign))?.[1]
}

/** An image in base64, or as a data URL. `field` is the part of the request that holds it. */
export function readImage(text: string, field: string): Image {
  if (/^https?:/i.test(text)) {
    throw refusal(field, 'Images at an address are not fetched: send the image itself, as data:image/png;base64,…')
  }
  const bytes = readBase64(text, { field, maxBytes: Math.floor((BODY_BYTES * 3) / 4) })
  const mime = mimeOf(bytes)
  if (mime) return { mime, data: bytes.toString('base64') }
  throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'This is no image that is taken: PNG, JPEG, WebP and GIF are, by their content', {
    details: [{ field, message: 'is of an unknown format' }],
  })
}

interface WithImages {
  readonly conversation?: readonly ConversationMessage[] | undefined
  readonly images?: readonly Image[] | undefined
}

export const imagesOfInput = ({ conversation = [], images = [] }: WithImages): Image[] => [
  ...images,
  ...conversation.flatMap((message) => (message.role === 'user' ? (message.images ?? []) : [])),
]

/** Throws `PAYLOAD_TOO_LARGE` for images that cannot be passed on together. */
export function requireFewImages(images: readonly Image[]): void {
  if (images.length > LIMITS.images) throw tooLarge(`A request may have at most ${LIMITS.images} images`)
  if (bytesOf(images) <= BODY_BYTES - SPARE) return
  throw tooLarge(`All images together may have at most ${inKb(BODY_BYTES - SPARE)} KB; make them smaller`)
}

/** The same for a request that cannot be passed on. */
export function requireRoom(images: readonly Image[], { bodyBytes }: Pick<RequestContext, 'bodyBytes'>): void {
  requireFewImages(images)
  if (bodyBytes - bytesOf(images) > TEXT_BYTES)
    throw tooLarge(`The body may have at most ${TEXT_BYTES / 1024} KB here beside its images`)
}

const bytesOf = (images: readonly Image[]): number => images.reduce((sum, { data }) => sum + data.length, 0)

/** Of the text around images, at least. In bytes. */
const SPARE = 64 * 1024
/** Of what base64 stands for. */
const inKb = (base64: number): number => Math.floor((base64 * 3) / 4 / 1024)
const tooLarge = (message: string) => new AppError('PAYLOAD_TOO_LARGE', `${message}; send less`)

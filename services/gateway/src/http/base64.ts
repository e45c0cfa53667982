import { AppError } from '@youworker/contracts/errors'

/** Before the data of a data URL (RFC 2397), which has a media type of at most 200 characters. */
const DATA_URL = /^data:[^,]{0,200};base64,/i

/**
 * The bytes of base64 (RFC 4648 section 4 or 5, with or without padding), which may come as a data URL, as browsers make it. Throws
 * `PAYLOAD_TOO_LARGE` beyond `maxBytes`, and `VALIDATION_ERROR` for what is no base64. `field` is the part of the request that holds it.
 */
export function readBase64(
  text: string,
  { field, maxBytes }: { readonly field: string; readonly maxBytes: number },
): Buffer<ArrayBuffer> {
  const start = DATA_URL.exec(text.slice(0, 256))?.[0].length ?? 0
  const end = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length
  const length = Math.max(0, end - start)
  const size = Math.floor((length * 3) / 4)
  if (size > maxBytes) throw new AppError('PAYLOAD_TOO_LARGE', `${field} may have at most ${inWords(maxBytes)}; send less`)
  // Node skips what is no base64, so that what comes out is shorter.
  const bytes = Buffer.from(text.slice(start, end), 'base64')
  if (length % 4 !== 1 && bytes.length === size) return bytes
  const message = 'is no base64'
  throw new AppError('VALIDATION_ERROR', `${field} ${message}`, { details: [{ field, message }] })
}

const inWords = (bytes: number): string =>
  bytes >= 1024 * 1024 ? `${Math.floor(bytes / 1024 / 1024)} MB` : `${Math.floor(bytes / 1024)} KB`

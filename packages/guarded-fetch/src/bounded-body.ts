import type { IncomingMessage } from 'node:http'
import { PassThrough, pipeline } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { AppError } from '@youworker/contracts/errors'

/** So much may come of however few bytes. */
const FREE_BYTES = 1024 * 1024
/** Text compresses to a tenth, a table of zeros to a hundredth, a bomb to a thousandth. */
const MAX_RATIO = 200

export const ACCEPTED_ENCODINGS = 'gzip, deflate, br, zstd'

function decoderOf(encoding: string) {
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return new PassThrough()
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    case 'zstd':
      return createZstdDecompress()
    default:
      throw new AppError('EXTERNAL_SERVICE_ERROR', 'the site answered in an encoding that was not asked for')
  }
}

/** The decoded body, from this moment on. Throws `PAYLOAD_TOO_LARGE` for more than `maxBytes` and for what expands like a bomb. */
export function boundedBody(message: IncomingMessage, maxBytes: number): AsyncGenerator<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const received = { bytes: 0 }
  async function* counted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      received.bytes += chunk.length
      yield chunk
    }
  }
  const decoder = decoderOf(message.headers['content-encoding'] ?? '')
  // Attached at once, because Node takes a message that is read only after its connection has closed for one that was cut. An error of any
  // part also ends the last one, whose reader gets it.
  return bounded(
    pipeline(message, counted, decoder, () => {}),
    received,
    maxBytes,
  )
}

async function* bounded(source: AsyncIterable<Buffer>, received: { readonly bytes: number }, maxBytes: number) {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    if (size > FREE_BYTES && size > received.bytes * MAX_RATIO) {
      throw new AppError('PAYLOAD_TOO_LARGE', `what the site sends expands to more than ${MAX_RATIO} times its size`)
    }
    yield chunk
  }
}

const tooLarge = (maxBytes: number) =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `what the site sends is larger than the ${Math.floor(maxBytes / 1024 / 1024)} MB that are taken`,
  )

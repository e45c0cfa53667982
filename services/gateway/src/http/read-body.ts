import type { IncomingMessage } from 'node:http'
import { AppError } from '@youworker/contracts/errors'

/** How long a client may take to send a JSON body. */
const BODY_MS = 30_000
/** How long the rest of a refused body is read and discarded. */
const DISCARD_MS = 15_000

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

function tooLarge(limit: number): AppError {
  const size = limit >= 1024 * 1024 ? `${Math.floor(limit / 1024 / 1024)} MB` : `${Math.floor(limit / 1024)} KB`
  return new AppError('PAYLOAD_TOO_LARGE', `The body may have at most ${size} here; send less`)
}

/** Reads the whole body. Throws `PAYLOAD_TOO_LARGE` as soon as it exceeds `limit` bytes. */
export function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const end = (error?: AppError) => {
      clearTimeout(timer)
      incoming.off('data', onData).off('end', onEnd).off('close', onClose)
      if (error) reject(error)
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size))
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) end(tooLarge(limit))
      else chunks.push(chunk)
    }
    const onEnd = () => end()
    const onClose = () => end(new AppError('VALIDATION_ERROR', 'The connection closed before the whole body arrived'))
    const timer = setTimeout(
      () => end(new AppError('VALIDATION_ERROR', `The body did not arrive within ${BODY_MS / 1_000} s`)),
      BODY_MS,
    )
    incoming.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

/** Reads and discards the rest: closing a socket with unread bytes makes the kernel reset it, and the client loses the answer. */
export function discardRest(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.destroyed) return
  const timer = setTimeout(() => incoming.destroy(), DISCARD_MS).unref()
  incoming.once('close', () => clearTimeout(timer))
  incoming.resume()
}

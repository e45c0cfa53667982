import type { IncomingMessage } from 'node:http'
import { LIMITS } from '@youworker/contracts/limits'
import { type LeastRate, watchArrival } from './arrival-rate.ts'

/** Adds bytes at an offset and returns where the upload ends then. */
type Append = (offset: number, bytes: Uint8Array) => Promise<number>

/**
 * Stores a body part by part while it is read, so that what came before a cut is kept. A client that is too slow is cut, and can go on
 * from there. Holds one part in memory. Returns where the upload ends.
 */
export async function receiveBytes(
  incoming: IncomingMessage,
  from: number,
  append: Append,
  leastRate: LeastRate,
): Promise<number> {
  const part = Buffer.allocUnsafe(LIMITS.part)
  let offset = from
  let held = 0
  const flush = async () => {
    const bytes = Buffer.from(part.subarray(0, held))
    held = 0
    if (bytes.length > 0) offset = await append(offset, bytes)
  }
  const stopWatching = watchArrival(incoming, leastRate, (error) => void incoming.destroy(error))
  try {
    // Node types the chunks of a message as `any`.
    const chunks: AsyncIterable<Buffer> = incoming
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        const room = LIMITS.part - (offset % LIMITS.part)
        const slice = chunk.subarray(at, at + room - held)
        part.set(slice, held)
        held += slice.length
        at += slice.length
        if (held === room) await flush()
      }
    }
  } finally {
    stopWatching()
  }
  await flush()
  return offset
}

import { openAsBlob } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GivenFile } from './collect-files.ts'
import { ApiError, type GatewayClient, isNetworkError } from './gateway-client.ts'

const PIECE = 4 * 1024 * 1024
/** Tries of one piece, a second apart. */
const TRIES = 30

/** Sends a file by a resumable upload, which goes on where it ended after a cut. Returns the id of the upload. */
export async function sendInPieces(
  gateway: GatewayClient,
  { path, name }: GivenFile,
  onSent: (bytes: number) => void,
): Promise<string> {
  const file = await openAsBlob(path)
  const id = await gateway.beginUpload(name, file.size)
  let failures = 0
  for (let offset = 0; offset < file.size; onSent(offset)) {
    try {
      offset = failures === 0 ? offset : await gateway.uploadedBytes(id)
      if (offset < file.size) offset = await gateway.appendUpload(id, offset, file.slice(offset, offset + PIECE))
      failures = 0
    } catch (error) {
      // The gateway knows best where the upload ends.
      const isPassing = isNetworkError(error) || (error instanceof ApiError && (error.status >= 500 || error.status === 409))
      if (!isPassing || (failures += 1) >= TRIES) throw error
      await sleep(1_000, undefined, { signal: gateway.signal })
    }
  }
  return id
}

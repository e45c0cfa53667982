import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiUser } from '../api-user.ts'
import type { Files } from './sample-files.ts'

const FILES_PER_REQUEST = 100
const REQUESTS_AT_ONCE = 2
const LIMIT_MS = 600_000

/** Resolves to the number of chunks when all files can be found. Throws when one could not be read. */
export async function ingestAll(user: ApiUser, files: Files): Promise<number> {
  let chunks = 0
  for (const id of await begin(user, files)) chunks += await ended(user, id)
  return chunks
}

/** Resolves to the ids of the runs when all files are queued. */
export async function begin(user: ApiUser, files: Files): Promise<string[]> {
  const all = [...files]
  const requests = Array.from({ length: Math.ceil(all.length / FILES_PER_REQUEST) }, (_, at) =>
    all.slice(at * FILES_PER_REQUEST, (at + 1) * FILES_PER_REQUEST),
  )
  const ids: string[] = []
  const send = async () => {
    for (let next = requests.shift(); next; next = requests.shift()) ids.push(await user.beginUpload(new Map(next)))
  }
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, send))
  return ids
}

export async function ended(user: ApiUser, id: string, expected = 'success'): Promise<number> {
  for (const until = performance.now() + LIMIT_MS; performance.now() < until; await sleep(100)) {
    const run = (await user.get(`/v1/ingestion-runs/${id}`)) as {
      readonly status: string
      readonly finished_at: string | null
      readonly chunks_written: number
      readonly errors: readonly string[]
    }
    if (run.finished_at === null) continue
    if (run.status !== expected) throw new Error(`a run ended as ${run.status}: ${run.errors.slice(0, 3).join('; ')}`)
    return run.chunks_written
  }
  throw new Error('a run did not end')
}

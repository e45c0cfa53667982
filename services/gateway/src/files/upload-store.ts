import type { ingestion } from '@youworker/contracts/ingestion'
import type { Client } from '@youworker/messaging/requests/client'
import type { FormFields, PartStore } from './part-writer.ts'

/** The uploads of ingestion. `client` is asked for each part, because a long upload outlives an access token. */
export const uploadStore = (
  client: () => Promise<Client<typeof ingestion>>,
  spaceOf: (fields: FormFields) => string | undefined,
): PartStore => ({
  store: async (name, fields, bytes) => (await (await client()).storeUpload({ name, space_id: spaceOf(fields), bytes })).blob_id,
  create: async (name, fields) => (await (await client()).openUpload({ name, space_id: spaceOf(fields) })).blob_id,
  write: async (blob_id, index, bytes) => (await client()).writeUpload({ blob_id, index, bytes }),
  finish: async (blob_id, parts, sha256) => (await client()).finishUpload({ blob_id, pieces: parts, sha256 }),
})

import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { cleanText } from '@youworker/runtime/text/text'
import busboy from 'busboy'
import pLimit from 'p-limit'
import { type LeastRate, watchArrival } from './arrival-rate.ts'
import { type FormFields, type PartStore, type WriteOptions, writeFile, WriteQueue } from './part-writer.ts'

const MAX_NAME = 1_024
const MAX_FIELDS = 128
const MAX_FIELD_BYTES = 16 * 1024
/** Files of one request that are stored at the same time. */
const FILES_AT_ONCE = 4
const FILE_FIELDS = new Set(['files', 'files[]', 'file'])

export interface ReceivedFile {
  readonly blob_id: string
  readonly name: string
  readonly mime?: string
}

export interface ReceivedUpload {
  readonly files: readonly ReceivedFile[]
  readonly fields: FormFields
}

export interface UploadLimits {
  /** Of one file. */
  readonly maxBytes: number
  readonly leastRate: LeastRate
}

/** A file name, perhaps with a relative path; `..` and leading slashes are removed. */
export function cleanName(name: string | undefined): string {
  // The end of a long name tells most: the file's own name and its ending.
  const parts = cleanText((name ?? '').slice(-MAX_NAME))
    .replaceAll(/[\t\n\r]/g, '')
    .split(/[/\\]/)
    .filter((part) => part !== '' && part !== '.' && part !== '..')
  return parts.join('/') || 'unnamed'
}

const badForm = (cause: unknown) => invalidForm('send each file as a part named `files`', cause)

export const invalidForm = (advice: string, cause: unknown): AppError =>
  new AppError('VALIDATION_ERROR', `The body is not valid multipart/form-data: ${advice}`, { cause })

/** Writes the files of a multipart body in parts while it is read; whatever its size, only a few parts are in memory. */
export async function receiveUpload(
  incoming: IncomingMessage,
  store: PartStore,
  { maxBytes, leastRate }: UploadLimits,
): Promise<ReceivedUpload> {
  const parser = createParser(incoming, { files: LIMITS.runFiles, fields: MAX_FIELDS }, badForm)
  const options = { store, queue: new WriteQueue(), maxBytes }
  const limit = pLimit({ concurrency: FILES_AT_ONCE, rejectOnClear: true })
  const fields: [string, string][] = []
  const files: Promise<ReceivedFile>[] = []
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>()
  const refuse = (message: string) => reject(new AppError('PAYLOAD_TOO_LARGE', message))

  parser.on('file', (field, stream, info) => {
    if (!FILE_FIELDS.has(field)) {
      stream.resume()
      return reject(badForm(new Error(`a file in the field ${field}`)))
    }
    // The parser stops at a stream that is not read, so a file that waits for its turn takes no memory.
    stream.on('error', () => undefined)
    const file = limit(() => receiveFile(stream, { ...info, fields }, options))
    files.push(file)
    file.catch(reject)
  })
  parser.on('field', (name, value, { valueTruncated }) => {
    if (valueTruncated) refuse(`The field ${name} is longer than ${MAX_FIELD_BYTES} bytes`)
    fields.push([name, value])
  })
  parser.on('filesLimit', () => refuse(`One upload takes at most ${LIMITS.runFiles} files; send the rest in another one`))
  parser.on('fieldsLimit', () => refuse(`One upload takes at most ${MAX_FIELDS} fields`))
  parser.on('error', (error) => reject(badForm(error)))
  parser.on('close', resolve)

  const stopWatching = [watchConnection(incoming, (error) => reject(badForm(error))), watchArrival(incoming, leastRate, reject)]
  incoming.pipe(parser)
  try {
    await parsed
    return { files: await Promise.all(files), fields }
  } finally {
    for (const stop of stopWatching) stop()
    limit.clearQueue()
    incoming.unpipe(parser)
    parser.destroy()
  }
}

async function receiveFile(
  stream: Readable,
  { filename, mimeType, fields }: { filename?: string; mimeType: string; fields: FormFields },
  options: WriteOptions,
): Promise<ReceivedFile> {
  const name = cleanName(filename)
  const blob_id = await writeFile({ name, fields, source: stream }, options)
  const isKnown = mimeType !== '' && mimeType !== 'application/octet-stream' && mimeType.length <= 255
  return { blob_id, name, ...(isKnown ? { mime: mimeType } : {}) }
}

/** `refuse`: the error for a request whose headers are no form's. */
export function createParser(
  { headers }: IncomingMessage,
  most: { readonly files: number; readonly fields: number },
  refuse: (cause: unknown) => AppError,
): busboy.Busboy {
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      preservePath: true,
      limits: { ...most, fieldSize: MAX_FIELD_BYTES, fieldNameSize: 128, headerPairs: 64 },
    })
  } catch (cause) {
    throw refuse(cause)
  }
}

/** Calls `left` when the client disconnects before the end of the body. */
export function watchConnection(incoming: IncomingMessage, left: (error: Error) => void): () => void {
  const onClose = () => {
    if (!incoming.complete) left(new Error('the client closed the connection'))
  }
  incoming.on('close', onClose)
  return () => incoming.off('close', onClose)
}

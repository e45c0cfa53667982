import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import busboy from 'busboy'
import { type PieceStore, Window, writePieces } from './piece-writer.ts'

const MAX_FIELDS = 128
const MAX_FIELD_BYTES = 16 * 1024
/** An upload may take long, but not stand still. */
const IDLE_MS = 60_000
/** Files that are being stored at once. */
const LANES = 4
const FILE_FIELDS = new Set(['files', 'files[]', 'file'])

export interface ReceivedFile {
  readonly blob_id: string
  readonly name: string
  readonly mime?: string
}

export interface ReceivedUpload {
  readonly files: readonly ReceivedFile[]
  /** In the order they came; names repeat. */
  readonly fields: readonly (readonly [name: string, value: string])[]
}

/** A name is a label and perhaps a relative path; it never leads out of anything. */
export function cleanName(name: string | undefined): string {
  const parts = (name ?? '')
    .toWellFormed()
    .replace(/\p{Cc}/gu, '')
    .split(/[/\\]/)
    .filter((part) => part !== '' && part !== '.' && part !== '..')
  return parts.join('/').slice(-1_024) || 'unnamed'
}

const badForm = (cause: unknown) =>
  new AppError('VALIDATION_ERROR', 'The body is not valid multipart/form-data: send each file as a part named `files`', { cause })

/** Reads a multipart body from the socket straight into pieces; whatever the size, only a few pieces are in memory. */
export async function receiveUpload(incoming: IncomingMessage, store: PieceStore, maxBytes: number): Promise<ReceivedUpload> {
  const parser = createParser(incoming)
  const window = new Window()
  const fields: [string, string][] = []
  const files: Promise<ReceivedFile>[] = []
  const lanes: Promise<unknown>[] = []
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>()
  const refuse = (message: string) => reject(new AppError('PAYLOAD_TOO_LARGE', message))

  parser.on('file', (field, stream, info) => {
    if (!FILE_FIELDS.has(field)) {
      stream.resume()
      return reject(badForm(new Error(`a file in the field ${field}`)))
    }
    // The parser blocks on a stream that nobody reads, so waiting for a lane bounds memory.
    stream.on('error', () => undefined)
    const at = files.length
    const file = (lanes[at % LANES] ?? Promise.resolve()).then(() => receiveFile(stream, info, { store, window, maxBytes }))
    lanes[at % LANES] = file
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

  const stopWatching = watchSocket(incoming, reject)
  incoming.pipe(parser)
  try {
    await parsed
    return { files: await Promise.all(files), fields }
  } finally {
    stopWatching()
    incoming.unpipe(parser)
    parser.destroy()
  }
}

interface Sink {
  readonly store: PieceStore
  readonly window: Window
  readonly maxBytes: number
}

async function receiveFile(
  stream: Readable,
  { filename, mimeType }: { filename?: string; mimeType: string },
  { store, window, maxBytes }: Sink,
): Promise<ReceivedFile> {
  const name = cleanName(filename)
  const blob_id = await store.open(name)
  await writePieces(blob_id, stream, store, window, { maxBytes })
  const isKnown = mimeType !== '' && mimeType !== 'application/octet-stream' && mimeType.length <= 255
  return { blob_id, name, ...(isKnown ? { mime: mimeType } : {}) }
}

function createParser({ headers }: IncomingMessage): busboy.Busboy {
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      preservePath: true,
      limits: { files: LIMITS.runFiles, fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES, fieldNameSize: 128, headerPairs: 64 },
    })
  } catch (cause) {
    throw badForm(cause)
  }
}

/** A client that leaves or stands still ends the upload. */
function watchSocket(incoming: IncomingMessage, reject: (error: AppError) => void): () => void {
  const stalled = () => reject(new AppError('VALIDATION_ERROR', `The upload stood still for ${IDLE_MS / 1_000} s; send it again`))
  const timer = setTimeout(stalled, IDLE_MS)
  const onData = () => void timer.refresh()
  const onClose = () => {
    if (!incoming.complete) reject(badForm(new Error('the client closed the connection')))
  }
  incoming.on('data', onData).on('close', onClose)
  return () => {
    clearTimeout(timer)
    incoming.off('data', onData).off('close', onClose)
  }
}

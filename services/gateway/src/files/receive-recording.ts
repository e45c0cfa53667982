import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { AppError } from '@youworker/contracts/errors'
import type { LeastRate } from './arrival-rate.ts'
import { watchArrival } from './arrival-rate.ts'
import type { FormFields } from './part-writer.ts'
import { createParser, invalidForm, watchConnection } from './receive-upload.ts'

const FIELD = 'file'
const MAX_FIELDS = 32
/** How long one may take to arrive, however steadily. */
const ARRIVAL_MS = 300_000

interface RecordingLimits {
  readonly maxBytes: number
  readonly leastRate: LeastRate
}

const badForm = (cause: unknown) => invalidForm(`send the recording as one part named \`${FIELD}\``, cause)

/** Reads a multipart body with one file into memory. */
export async function receiveRecording(
  incoming: IncomingMessage,
  { maxBytes, leastRate }: RecordingLimits,
): Promise<{ readonly bytes: Buffer<ArrayBuffer> | undefined; readonly fields: FormFields }> {
  const parser = createParser(incoming, { files: 1, fields: MAX_FIELDS }, badForm)
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>()
  const fields: [string, string][] = []
  let bytes: Promise<Buffer<ArrayBuffer>> | undefined
  parser.on('file', (name, stream) => {
    bytes = name === FIELD ? readWhole(stream, maxBytes) : Promise.reject(badForm(new Error(`a file in the field ${name}`)))
    bytes.catch(reject)
    if (name !== FIELD) stream.resume()
  })
  parser.on('field', (name, value, { valueTruncated }) => {
    if (valueTruncated) reject(new AppError('PAYLOAD_TOO_LARGE', `The field ${name} is too long`))
    fields.push([name, value])
  })
  parser.on('filesLimit', () => reject(badForm(new Error('several files'))))
  parser.on('fieldsLimit', () => reject(new AppError('PAYLOAD_TOO_LARGE', `The form takes at most ${MAX_FIELDS} fields`)))
  parser.on('error', (error) => reject(badForm(error)))
  parser.on('close', resolve)
  const late = setTimeout(() => reject(tooLate()), ARRIVAL_MS)
  const stopWatching = [
    watchConnection(incoming, (error) => reject(badForm(error))),
    watchArrival(incoming, leastRate, reject),
    () => clearTimeout(late),
  ]
  incoming.pipe(parser)
  try {
    await parsed
    return { bytes: await bytes, fields }
  } finally {
    for (const stop of stopWatching) stop()
    incoming.unpipe(parser)
    parser.destroy()
  }
}

async function readWhole(stream: Readable, maxBytes: number): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      throw new AppError('PAYLOAD_TOO_LARGE', `A recording may have at most ${maxBytes / 1024 / 1024} MB; send it in parts`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

const tooLate = () =>
  new AppError('REQUEST_TIMEOUT', `The recording did not arrive in ${ARRIVAL_MS / 60_000} minutes; send it in parts`)

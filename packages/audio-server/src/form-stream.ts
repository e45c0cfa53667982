import { randomUUID } from 'node:crypto'
import type { Recording } from './audio-port.ts'

/** What `fetch` takes for a body that is sent as it is read. */
export interface FormStream {
  readonly headers: Record<string, string>
  readonly body: ReadableStream<Uint8Array>
  readonly duplex: 'half'
}

/** A form with a recording (RFC 7578) that is never in memory as a whole. Fields without a value are left out. */
export function formStream(fields: Readonly<Record<string, string | number | undefined>>, recording: Recording): FormStream {
  const boundary = `youworker-${randomUUID()}`
  const part = (name: string, more: string) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n`
  const values = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${part(name, '')}${String(value)}\r\n`],
  )
  const file = part('file', `; filename="${escaped(recording.name)}"\r\ncontent-type: ${recording.mime}`)
  const [head, tail] = [Buffer.from(values.join('') + file), Buffer.from(`\r\n--${boundary}--\r\n`)]
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield head
    yield* recording.bytes()
    yield tail
  }
  const length = head.length + recording.size + tail.length
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': String(length) }
  return { headers, body: ReadableStream.from(parts()), duplex: 'half' }
}

/** As browsers do (WHATWG HTML, multipart/form-data encoding algorithm). */
const escaped = (name: string): string => name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22')

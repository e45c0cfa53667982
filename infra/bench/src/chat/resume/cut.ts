import { request } from 'node:http'

interface Call {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** What had come when the connection was cut at a byte, or the whole when it ended before. */
interface Received {
  readonly status: number
  /** Without the character that was cut. */
  readonly text: string
  readonly isWhole: boolean
}

/** Reads an answer up to its byte `at` and cuts the connection. With 0 nothing of it is seen. */
export function readUntil(at: number, { method, url, headers, body }: Call): Promise<Received> {
  const { promise, resolve, reject } = Promise.withResolvers<Received>()
  const call = request(url, { method, headers: { ...headers, 'content-type': 'application/json' } }, (response) => {
    const parts: Buffer[] = []
    let length = 0
    const end = (isWhole: boolean) => {
      const text = new TextDecoder('utf-8').decode(Buffer.concat(parts).subarray(0, at), { stream: true })
      resolve({ status: response.statusCode ?? 0, text, isWhole })
      call.destroy()
    }
    response.on('data', (part: Buffer) => {
      parts.push(part)
      length += part.length
      if (length >= at) end(false)
    })
    response.on('end', () => end(true)).on('error', reject)
  })
  call.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}

export const readAll = (call: Call): Promise<Received> => readUntil(Infinity, call)

/** Of server-sent events; one that is not whole is left out. */
export interface Sent {
  readonly id: number
  readonly event: string
  /** As it came. */
  readonly data: string
}

export function eventsOf(text: string): Sent[] {
  return text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
      const data = field('data')
      return data === undefined ? [] : [{ id: Number(field('id')), event: field('event') ?? 'message', data }]
    })
}

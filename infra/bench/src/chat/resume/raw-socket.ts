import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

const TEXT = 0x81

interface At {
  readonly url: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** Asks for a WebSocket; the answer is the first that comes. */
export function requestSocket({ url, path, headers }: At): Socket {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const lines = Object.entries({
    host: `${hostname}:${port}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

interface Opened extends At {
  /** Sent as soon as it is open. */
  readonly message: unknown
}

interface Frame {
  readonly type: string
  readonly seq: number | null
  readonly run_id: string | null
}

interface Frames<F> {
  readonly frames: readonly F[]
  readonly isCut: boolean
}

/** A WebSocket client (RFC 6455) that cuts its connection at a byte: once it knows the run, which it needs to resume. */
export function framesUntil<F extends Frame>(at: number, { message, ...to }: Opened): Promise<Frames<F>> {
  const { promise, resolve, reject } = Promise.withResolvers<Frames<F>>()
  const socket = requestSocket(to)
  let isOpen = false
  let received = Buffer.alloc(0)
  const end = (bytes: Buffer, isCut: boolean) => {
    socket.destroy()
    resolve({ frames: readFrames<F>(bytes), isCut })
  }
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part])
    if (!isOpen) {
      const head = received.indexOf('\r\n\r\n')
      if (head < 0) return
      if (!received.toString('latin1').startsWith('HTTP/1.1 101')) return void socket.destroy(new Error(received.toString()))
      isOpen = true
      received = received.subarray(head + 4)
      socket.write(messageFrame(message))
    }
    const cut = received.subarray(0, at)
    if (received.length >= at && readFrames<F>(cut).some(({ run_id }) => run_id !== null)) return end(cut, true)
    const frames = readFrames<F>(received)
    if (received.length >= at && frames.some(({ run_id }) => run_id !== null)) return end(received, true)
    if (frames.some(({ type }) => type === 'done' || type === 'error')) end(received, false)
  })
  socket.on('error', reject).on('close', () => reject(new Error('the socket was closed')))
  return promise
}

/** Of messages of less than 126 bytes. */
export function messageFrame(message: unknown): Buffer {
  const [payload, mask] = [Buffer.from(JSON.stringify(message)), randomBytes(4)]
  return Buffer.concat([Buffer.from([TEXT, 0x80 | payload.length]), mask, payload.map((byte, n) => byte ^ (mask[n % 4] ?? 0))])
}

/** All whole text frames. */
function readFrames<F>(bytes: Buffer): F[] {
  const frames: F[] = []
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = bytes.readUInt8(at + 1) & 0x7f
    const head = short === 126 ? 4 : short === 127 ? 10 : 2
    if (at + head > bytes.length) break
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short
    const end = at + head + length
    if (end > bytes.length) break
    if (bytes.readUInt8(at) === TEXT) frames.push(JSON.parse(bytes.toString('utf8', at + head, end)) as F)
    at = end
  }
  return frames
}

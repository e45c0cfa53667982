import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** A WebSocket client (RFC 6455) that can send what no library does. */
export class RawWebSocket {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  /** Code of the server's closing frame, 1006 when it sent none. */
  readonly closed: Promise<number>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (part: Buffer) => (this.#received = Buffer.concat([this.#received, part])))
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      const end = () => resolve(this.#closeCode())
      socket.on('data', () => {
        if (this.#closeCode() === 1006) return
        end()
        socket.destroy()
      })
      socket.on('close', end)
    })
  }

  static async open(api: string, path: string, key: string | undefined): Promise<RawWebSocket> {
    const { hostname, port } = new URL(api)
    const socket = connect(Number(port), hostname)
    const head = [
      `GET ${path} HTTP/1.1`,
      `host: ${hostname}`,
      `x-api-key: ${key}`,
      'connection: Upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    await new Promise<void>((resolve, reject) => {
      socket.once('data', (part: Buffer) => {
        if (part.toString('latin1').startsWith('HTTP/1.1 101')) resolve()
        else reject(new Error(part.toString()))
      })
    })
    return new RawWebSocket(socket)
  }

  /** Sends a frame whose first byte is `head`: FIN, the reserved bits and the opcode. */
  frame(head: number, payload: Uint8Array | string = '', { isMasked = true } = {}): void {
    const bytes = Buffer.from(payload)
    const length = Buffer.alloc(bytes.length < 126 ? 1 : 9)
    length.writeUInt8((isMasked ? 0x80 : 0) | Math.min(bytes.length, 127))
    if (bytes.length >= 126) length.writeBigUInt64BE(BigInt(bytes.length), 1)
    const mask = isMasked ? randomBytes(4) : Buffer.alloc(0)
    const body = isMasked ? bytes.map((byte, n) => byte ^ (mask[n % 4] ?? 0)) : bytes
    this.#socket.write(Buffer.concat([Buffer.from([head]), length, mask, body]))
  }

  text(message: unknown): void {
    this.frame(0x81, JSON.stringify(message))
  }

  /** Does not read any more. */
  pause(): void {
    this.#socket.pause()
  }

  /** Reads on. */
  resume(): void {
    this.#socket.resume()
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Messages that came whole, in one frame or in fragments. */
  get frames(): unknown[] {
    let parts: Buffer[] = []
    return this.#read().flatMap(([opcode, payload, isLast]) => {
      if (opcode > 1) return []
      parts.push(payload)
      if (!isLast) return []
      const whole = Buffer.concat(parts).toString()
      parts = []
      return [JSON.parse(whole)]
    })
  }

  /** How many came, none of which is answered. */
  get pings(): number {
    return this.#read().filter(([opcode]) => opcode === 9).length
  }

  #closeCode(): number {
    const close = this.#read().find(([opcode]) => opcode === 8)
    return close && close[1].length >= 2 ? close[1].readUInt16BE() : 1006
  }

  #read(): [opcode: number, payload: Buffer, isLast: boolean][] {
    const frames: [number, Buffer, boolean][] = []
    const bytes = this.#received
    for (let at = 0; at + 2 <= bytes.length;) {
      const short = bytes.readUInt8(at + 1)
      const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2)
      if (start > bytes.length) break
      const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short
      if (start + length > bytes.length) break
      const head = bytes.readUInt8(at)
      frames.push([head & 0x0f, bytes.subarray(start, start + length), head >= 0x80])
      at = start + length
    }
    return frames
  }
}

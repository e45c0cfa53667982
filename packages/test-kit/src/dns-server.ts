import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'

/** Addresses of a name, each time it is asked for; none: there is no such name. */
export type AnswerName = (name: string) => readonly string[]

export interface TestDnsServer extends AsyncDisposable {
  /** For `Resolver.setServers`. */
  readonly address: string
}

const HEADER = 12
const A = 1
const AAAA = 28

/** A DNS server over UDP for questions of type A and AAAA (RFC 1035, RFC 3596), whose answers live 0 s. */
export async function startDnsServer(answer: AnswerName): Promise<TestDnsServer> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { address, port }) => socket.send(reply(query, answer), port, address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

function reply(query: Buffer, answer: AnswerName): Buffer {
  const labels: string[] = []
  let at = HEADER
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const type = query.readUInt16BE(at + 1)
  const question = query.subarray(HEADER, at + 5)
  const all = answer(labels.join('.').toLowerCase())
  const records = all
    .filter((address) => isIP(address) === (type === A ? 4 : type === AAAA ? 6 : -1))
    .map((address) => record(type, address))
  const header = Buffer.alloc(HEADER)
  header.writeUInt16BE(query.readUInt16BE(0), 0)
  // An authoritative answer with recursion; 3: there is no such name.
  header.writeUInt16BE(0x8580 | (all.length === 0 ? 3 : 0), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, question, ...records])
}

function record(type: number, address: string): Buffer {
  const bytes = type === A ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address)
  const head = Buffer.alloc(HEADER)
  // The name is that of the question, 12 bytes from the beginning.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(0, 6)
  head.writeUInt16BE(bytes.length, 10)
  return Buffer.concat([head, bytes])
}

function ipv6Bytes(address: string): Buffer {
  const { hostname } = new URL(`http://[${address}]/`)
  const [left = '', right] = hostname.slice(1, -1).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const head = groups(left)
  const tail = groups(right ?? '')
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

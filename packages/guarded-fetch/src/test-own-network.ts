// Runs in a network namespace in which every address is this machine's, so that each connection is made and seen, wherever it leads.
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HOSTILE, tryHostileUrls } from './test-hostile-urls.ts'

const GOOD = '93.184.215.14'
const BAD_PORT = 8_088
const connections: string[] = []
const trap = createServer((socket) => {
  connections.push(`${socket.localAddress} ${socket.localPort}`)
  socket.on('error', () => {})
  socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nsecret')
}).listen(BAD_PORT, '::')

const guarded = await tryHostileUrls({ good: GOOD, goodPort: 80, badPort: BAD_PORT, allow: [] })
await sleep(200)
const byGuarded = connections.splice(0)
// The same URLs without the guard, to show that their connections would have been seen.
for (const { url } of HOSTILE) {
  try {
    await fetch(url(BAD_PORT), { signal: AbortSignal.timeout(500) })
  } catch {
    // No server is there.
  }
}
trap.close()
console.log(JSON.stringify({ guarded, byGuarded, byUnguarded: connections.length }))
process.exit(0)

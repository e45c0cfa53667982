import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FileMime } from '@youworker/contracts/file-types'
import { expect, test } from 'vitest'
import { CONFINEMENT, parseInChild } from './parse-in-child.ts'
import { waitFor } from '@youworker/test-kit/wait-for'

const run = promisify(execFile)
const outcomeOf = async (options: readonly string[], code: string) => {
  const script = `(async () => { ${code} })().then(() => console.log('done'), (error) => console.log(error.code ?? error.message))`
  return (await run(process.execPath, [...options, '-e', script])).stdout.trim()
}

test('the process that reads untrusted files reaches no other file, no network and no process', async () => {
  const server = createServer((socket) => socket.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const attempts = {
    read: `await require('fs/promises').readFile('/etc/passwd')`,
    write: `await require('fs/promises').writeFile(${JSON.stringify(join(import.meta.dirname, 'written'))}, 'x')`,
    connect: `await new Promise((resolve, reject) => require('net').connect(${port}, '127.0.0.1').on('connect', resolve).on('error', reject)); process.exit(console.log('done'))`,
    spawn: `await new Promise((resolve, reject) => require('child_process').spawn('true').on('exit', resolve).on('error', reject))`,
    thread: `new (require('worker_threads').Worker)('', { eval: true })`,
  }
  for (const [name, code] of Object.entries(attempts)) expect(await outcomeOf(CONFINEMENT, code), name).toBe('ERR_ACCESS_DENIED')
  expect(await outcomeOf([], attempts.read)).toBe('done')
  expect(await outcomeOf([], attempts.connect)).toBe('done')
  server.close()
})

test.runIf(process.platform === 'linux')('the kernel ends the reader first when memory runs out', async () => {
  const stop = new AbortController()
  const parsed = parseInChild({ bytes: Buffer.from('<p><b></b></p>'.repeat(300_000)), mime: 'text/html', signal: stop.signal })
  const scoreOfReader = async () => {
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
      const isOurs = new RegExp(`^PPid:\\t${process.pid}$`, 'm').test(await read('status'))
      if (isOurs && (await read('cmdline')).includes('parse-worker')) return (await read('oom_score_adj')).trim()
    }
    return undefined
  }
  await waitFor(async () => (await scoreOfReader()) === '1000', { what: 'the score of the reader' })
  stop.abort(new Error('seen'))
  await expect(parsed).rejects.toThrow('seen')
})

test('a reader that cannot be loaded is no fault of the file', async () => {
  const reading = parseInChild({ bytes: Buffer.from('# Bees'), mime: 'text/none' as FileMime })
  await expect(reading).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', cause: expect.stringContaining('TypeError') })
})

import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { conclude } from './account.ts'
import { Client } from './client.ts'
import { startSystem } from './running-system.ts'
import { describe, isFailure, newLedger, type Outcome, work } from './work.ts'

interface FillOptions {
  readonly sizeMb: number
  readonly seconds: number
  readonly times: number
}

const BEFORE_MS = 8_000
/** The system has this long to be well again. */
const WELL_MS = 30_000
const AFTER_MS = 45_000
const KINDS = ['groups', 'search', 'session']
const WORKERS = [KINDS, KINDS, KINDS, ['chat'], ['chat'], ['upload'], ['upload']]

/**
 * Runs a system on a small file system of its own (the process must be in a mount namespace), fills that while requests go on,
 * and frees it. False when a request failed later than 30 s after the room was back, or anything acknowledged is lost, double or stuck.
 */
export async function fillDisk(stack: AsyncDisposableStack, dir: string, options: FillOptions): Promise<boolean> {
  const { sizeMb, seconds, times } = options
  await mkdir(dir, { recursive: true })
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', dir])
  const env = { DISK__WARN_BELOW_MB: '80', DISK__REFUSE_BELOW_MB: '40' }
  const system = await startSystem(stack, [], { dir, env })
  const client = new Client(system.api, system.key)
  const ledger = newLedger()
  const outcomes: Outcome[] = []
  const stop = new AbortController()
  const workers = Promise.all(WORKERS.map((tasks) => work(client, { tasks, stop: stop.signal, ledger, outcomes })))
  let isWell = true
  for (let trial = 1; trial <= times; trial += 1) {
    await sleep(BEFORE_MS)
    const from = outcomes.length
    const ballast = join(dir, 'ballast')
    const writes = await fill(ballast, seconds * 1_000)
    await rm(ballast)
    const freed = performance.now()
    await sleep(AFTER_MS)
    const all = outcomes.slice(from)
    const last = Math.max(freed, ...all.filter(isFailure).map(({ at }) => at))
    const well = (last - freed) / 1_000
    const after = all.filter(({ at }) => at > freed + WELL_MS)
    const late = after.filter(isFailure)
    isWell &&= late.length === 0 && after.length > 0
    const refused = all.filter(({ outcome }) => outcome === 507).length
    console.log(
      `${sizeMb} MB full for ${seconds} s (${trial}/${times}; ${writes} writes of ballast refused): ${all.filter(isFailure).length} of ` +
        `${all.length} requests failed (${refused} with 507), every request well ${well.toFixed(1)} s after room was made, ` +
        `after ${WELL_MS / 1_000} s ${late.length} of ${after.length} failed${describe(late)}`,
    )
  }
  stop.abort()
  await workers
  return conclude(client, system, ledger, isWell)
}

/** Takes all room for so long, also what others give back meanwhile. Returns how often there was none left. */
async function fill(file: string, ms: number): Promise<number> {
  await using handle = await open(file, 'a')
  const [large, small] = [Buffer.alloc(1024 * 1024), Buffer.alloc(4_096)]
  let refused = 0
  for (const until = Date.now() + ms; Date.now() < until;) {
    for (const block of [large, small]) while (await fits(handle.write(block)));
    refused += 1
    await sleep(50)
  }
  return refused
}

async function fits(write: Promise<{ bytesWritten: number }>): Promise<boolean> {
  return write.then(
    ({ bytesWritten }) => bytesWritten > 0,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOSPC') return false
      throw error
    },
  )
}

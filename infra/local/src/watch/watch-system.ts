import type { Print } from '../print.ts'
import type { DiskWatch } from './disk-watch.ts'
import { limitLogs } from './limit-logs.ts'
import { ServerWatch, type WatchedServer } from './server-watch.ts'

const EVERY_MS = { disk: 1_000, servers: 5_000, logs: 15_000 } as const

interface WatchOptions {
  readonly servers: readonly WatchedServer[]
  readonly disk: DiskWatch
  readonly logs: string
  readonly print: Print
  /** Called when the disk has room again: what could not be written can be. */
  readonly onRoom: () => void
}

/** Looks after what `npm start` runs: servers that hang, a full disk, logs that grow. No failure of its own ends anything. */
export function watchSystem({ servers, disk, logs, print, onRoom }: WatchOptions): Disposable {
  const watches = servers.map((server) => new ServerWatch(server, { disk, print }))
  const afterFullDisk = async () => {
    onRoom()
    // They wait for their next try, which may be 10 s away.
    await Promise.all(servers.filter(({ process }) => process.pid === undefined).map(({ process }) => process.restart(0)))
  }
  const timers = [
    repeat(EVERY_MS.disk, async () => {
      if (await disk.look()) await afterFullDisk()
    }),
    ...watches.map((watch) => repeat(EVERY_MS.servers, () => watch.look())),
    repeat(EVERY_MS.logs, () => limitLogs(logs)),
  ]
  return { [Symbol.dispose]: () => timers.forEach((timer) => clearInterval(timer)) }
}

/** A turn is left out while the one before is still running. */
function repeat(ms: number, work: () => Promise<void>): NodeJS.Timeout {
  let isRunning = false
  return setInterval(() => {
    if (isRunning) return
    isRunning = true
    void work()
      .catch(() => {})
      .finally(() => (isRunning = false))
  }, ms)
}

import type { Print } from '../print.ts'
import type { SupervisedProcess } from '../supervisor/supervised-process.ts'
import type { DiskWatch } from './disk-watch.ts'

export interface WatchedServer {
  readonly process: SupervisedProcess
  /** A real request. Rejects when there is no answer in time. */
  ask(): Promise<void>
}

/** Silence after which a server is started again; after a full disk it is no use to wait for long. In ms. */
const SILENCE = { usual: 15_000, afterFullDisk: 5_000 } as const
/** Pause between the signals that end it, the last of which is SIGKILL. */
const STEP_MS = 1_000

/** Asks one server, and starts it again when it was silent for too long. While the disk is full it waits: a start would fail. */
export class ServerWatch {
  readonly #server: WatchedServer
  readonly #disk: DiskWatch
  readonly #print: Print
  #answeredAt = performance.now()
  #isHeldBack = false

  constructor(server: WatchedServer, { disk, print }: { disk: DiskWatch; print: Print }) {
    this.#server = server
    this.#disk = disk
    this.#print = print
  }

  async look(): Promise<void> {
    const { process } = this.#server
    const { pid } = process
    const why = pid === undefined ? undefined : await this.#silence()
    // It answered, is being started, or was started again meanwhile.
    if (why === undefined || process.pid !== pid) this.#answeredAt = performance.now()
    else await this.#restartIfDue(why)
  }

  async #silence(): Promise<string | undefined> {
    return this.#server.ask().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
  }

  async #restartIfDue(why: string): Promise<void> {
    const { process } = this.#server
    const limit = this.#disk.lastFullAt > this.#answeredAt ? SILENCE.afterFullDisk : SILENCE.usual
    const silent = performance.now() - this.#answeredAt
    if (silent < limit) return
    const what = `${process.spec.name} has not answered for ${Math.round(silent / 1_000)} s (${why})`
    if (this.#disk.isFull) {
      if (!this.#isHeldBack) this.#print(`${what}; it is started again when the disk has room`)
      this.#isHeldBack = true
      return
    }
    this.#isHeldBack = false
    this.#print(`${what}; starting it again`)
    await process.restart(STEP_MS)
    this.#answeredAt = performance.now()
  }
}

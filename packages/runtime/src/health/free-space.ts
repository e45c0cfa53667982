import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '../logger.ts'
import { metrics } from './metrics.ts'

const MB = 1024 * 1024
/** A look is as good as new for so long. */
const FRESH_MS = 1_000
const EVERY_MS = 5_000
/** A limit counts as left only this much above it, so that the state does not change with every request. */
const MARGIN = 1.1
const RETRY_AFTER_S = 60

type Level = 'enough' | 'low' | 'short'

interface FreeSpaceOptions {
  /** A folder on the file system; it need not exist yet. */
  readonly folder: string
  /** Below it a warning is logged and shown in health. */
  readonly warnBelowMb: number
  /** Below it `require` refuses. */
  readonly refuseBelowMb: number
  readonly logger: Logger
  /** Free bytes of the folder's file system. */
  readonly read?: (folder: string) => Promise<number>
}

/** Watches how much room a file system has left. */
export class FreeSpace implements Disposable {
  readonly #options: Required<FreeSpaceOptions>
  readonly #timer: NodeJS.Timeout
  #level: Level = 'enough'
  #free = Number.POSITIVE_INFINITY
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined

  constructor(options: FreeSpaceOptions) {
    this.#options = { read: readFree, ...options }
    this.#timer = setInterval(() => void this.#look().catch(() => {}), EVERY_MS).unref()
  }

  /** For health: what is the matter while the space is low. Rejects when it cannot be read. */
  async check(): Promise<string | undefined> {
    await this.#look()
    const { folder, warnBelowMb, refuseBelowMb } = this.#options
    if (this.#level === 'enough') return undefined
    const what = `${this.#freeMb} MB are free in ${folder}; make room there.`
    return this.#level === 'short'
      ? `${what} Uploads are refused (DISK__REFUSE_BELOW_MB: ${refuseBelowMb})`
      : `${what} (DISK__WARN_BELOW_MB: ${warnBelowMb})`
  }

  /** Why nothing more may be stored, for users; undefined when it may. A file system that cannot be read refuses nothing. */
  async shortage(): Promise<string | undefined> {
    await this.#look().catch(() => {})
    if (this.#level !== 'short') return undefined
    return (
      `The disk of this system is nearly full: ${this.#freeMb} MB are free, and ${this.#options.refuseBelowMb} MB are kept. ` +
      'Ask whoever runs it to make room; searching, chatting and deleting go on'
    )
  }

  /** Throws `INSUFFICIENT_STORAGE` below the limit. */
  async require(): Promise<void> {
    const why = await this.shortage()
    if (why !== undefined) throw new AppError('INSUFFICIENT_STORAGE', why, { retryAfter: RETRY_AFTER_S })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  get #freeMb(): number {
    return Math.floor(this.#free / MB)
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt < FRESH_MS) return
    this.#looking ??= this.#read().finally(() => (this.#looking = undefined))
    await this.#looking
  }

  async #read(): Promise<void> {
    const { folder, read, logger } = this.#options
    this.#free = await read(folder)
    this.#lookedAt = performance.now()
    metrics.diskFree.labels(folder).set(this.#free)
    const before = this.#level
    this.#level = this.#levelOf(before)
    if (this.#level === before) return
    const free = { folder, free_mb: this.#freeMb }
    if (this.#level === 'enough') logger.info(free, 'the disk has room again')
    else logger.warn(free, this.#level === 'short' ? 'the disk is nearly full: uploads are refused' : 'the disk gets full')
  }

  #levelOf(before: Level): Level {
    const { warnBelowMb, refuseBelowMb } = this.#options
    const isBelow = (limitMb: number, wasBelow: boolean) => this.#free < limitMb * MB * (wasBelow ? MARGIN : 1)
    if (isBelow(refuseBelowMb, before === 'short')) return 'short'
    return isBelow(warnBelowMb, before !== 'enough') ? 'low' : 'enough'
  }
}

async function readFree(folder: string): Promise<number> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!isMissing || path === dirname(path)) throw error
    }
  }
}

import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '../logger.ts'
import { metrics } from './metrics.ts'

const MB = 1024 * 1024
/** A look is as good as new for so long. */
const FRESH_MS = 1_000
const EVERY_MS = 5_000
/** Files that can still be made, as a number and as a share of all, whichever is less: small file systems have few. */
const INODES = { low: { count: 20_000, share: 0.05 }, short: { count: 2_000, share: 0.01 } } as const
/** A limit counts as left only this much above it, so that the state does not change with every request. */
const MARGIN = 1.1
const RETRY_AFTER_S = 60

type Level = 'enough' | 'low' | 'short'

export interface Room {
  readonly bytes: number
  /** How many files can still be made, of how many in all. Some file systems have no such limit, or tell none. */
  readonly inodes?: { readonly free: number; readonly total: number } | undefined
}

interface FreeSpaceOptions {
  /** A folder on the file system; it need not exist yet. */
  readonly folder: string
  /** Below it a warning is logged and shown in health; 0 never warns. */
  readonly warnBelowMb: number
  /** Below it `require` refuses; 0 never refuses. */
  readonly refuseBelowMb: number
  readonly logger: Logger
  /** Of the folder's file system. */
  readonly read?: (folder: string) => Promise<Room>
}

/** Watches how much room a file system has left: bytes, and files that can still be made. */
export class FreeSpace implements Disposable {
  readonly #options: Required<FreeSpaceOptions>
  readonly #timer: NodeJS.Timeout
  #level: Level = 'enough'
  #room: Room = { bytes: Number.POSITIVE_INFINITY }
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined

  constructor(options: FreeSpaceOptions) {
    this.#options = { read: readRoom, ...options }
    this.#timer = setInterval(() => void this.#look().catch(() => {}), EVERY_MS).unref()
  }

  /** For health: what is the matter while the space is low. Rejects when it cannot be read. */
  async check(): Promise<string | undefined> {
    await this.#look()
    const { folder, warnBelowMb, refuseBelowMb } = this.#options
    if (this.#level === 'enough') return undefined
    const what = `${this.#left} in ${folder}; make room there.`
    return this.#level === 'short'
      ? `${what} Uploads are refused (DISK__REFUSE_BELOW_MB: ${refuseBelowMb})`
      : `${what} (DISK__WARN_BELOW_MB: ${warnBelowMb})`
  }

  /** Why nothing more may be stored, for users; undefined when it may. A file system that cannot be read refuses nothing. */
  async shortage(): Promise<string | undefined> {
    await this.#look().catch(() => {})
    if (this.#level !== 'short') return undefined
    return (
      `The disk of this system is nearly full: ${this.#left}, and ${this.#kept} are kept. ` +
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

  /** In the words of what is short: bytes, unless only files are. */
  get #left(): string {
    return this.#isShortOfFiles
      ? `${this.#room.inodes?.free} files can be made`
      : `${Math.floor(this.#room.bytes / MB)} MB are free`
  }

  get #kept(): string {
    return this.#isShortOfFiles ? `${Math.ceil(inodeLimit(this.#room, 'short'))} files` : `${this.#options.refuseBelowMb} MB`
  }

  get #isShortOfFiles(): boolean {
    return this.#level !== 'enough' && !this.#isBelowBytes(this.#level, true)
  }

  async #look(): Promise<void> {
    if (performance.now() - this.#lookedAt < FRESH_MS) return
    this.#looking ??= this.#read().finally(() => (this.#looking = undefined))
    await this.#looking
  }

  async #read(): Promise<void> {
    const { folder, read, logger } = this.#options
    this.#room = await read(folder)
    this.#lookedAt = performance.now()
    metrics.diskFree.labels(folder).set(this.#room.bytes)
    if (this.#room.inodes) metrics.diskFreeInodes.labels(folder).set(this.#room.inodes.free)
    const before = this.#level
    this.#level = this.#levelOf(before)
    if (this.#level === before) return
    const free = { folder, free_mb: Math.floor(this.#room.bytes / MB), free_inodes: this.#room.inodes?.free }
    if (this.#level === 'enough') logger.info(free, 'the disk has room again')
    else logger.warn(free, this.#level === 'short' ? 'the disk is nearly full: uploads are refused' : 'the disk gets full')
  }

  #levelOf(before: Level): Level {
    if (this.#isBelow('short', before === 'short')) return 'short'
    return this.#isBelow('low', before !== 'enough') ? 'low' : 'enough'
  }

  #isBelow(level: 'low' | 'short', wasBelow: boolean): boolean {
    const limit = inodeLimit(this.#room, level) * (wasBelow ? MARGIN : 1)
    const isShortOfFiles = this.#limitMb(level) > 0 && (this.#room.inodes?.free ?? Number.POSITIVE_INFINITY) < limit
    return isShortOfFiles || this.#isBelowBytes(level, wasBelow)
  }

  #isBelowBytes(level: 'low' | 'short', wasBelow: boolean): boolean {
    return this.#room.bytes < this.#limitMb(level) * MB * (wasBelow ? MARGIN : 1)
  }

  #limitMb(level: 'low' | 'short'): number {
    return level === 'short' ? this.#options.refuseBelowMb : this.#options.warnBelowMb
  }
}

const inodeLimit = ({ inodes }: Room, level: 'low' | 'short'): number =>
  Math.min(INODES[level].count, INODES[level].share * (inodes?.total ?? 0))

async function readRoom(folder: string): Promise<Room> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, bsize, files, ffree } = await statfs(path)
      return { bytes: bavail * bsize, inodes: files > 0 ? { free: ffree, total: files } : undefined }
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!isMissing || path === dirname(path)) throw error
    }
  }
}

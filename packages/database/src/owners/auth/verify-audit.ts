import { AppError } from '@youworker/contracts/errors'
import type { KeyRing } from '../../sealing/key-ring.ts'
import { type AuditEnd, BEGIN, entryMac, isKeyed, NO_ENTRIES, plainHash } from './audit-chain.ts'
import type { AuditReader } from './audit-reader.ts'
import type { AuditRow } from './tables.ts'

interface VerifyOptions {
  readonly ring: KeyRing
  /** Runs `work` in a transaction of its own. */
  readonly read: <T>(work: (audit: AuditReader) => Promise<T>) => Promise<T>
  /** Where to go on; the entry has to be the same as it was then. */
  readonly after?: AuditEnd | undefined
  /** Hashes in hexadecimal by number of the entry, from outside of the database. */
  readonly checkpoints?: ReadonlyMap<number, string>
  /** Asked after each page: whether to stop and say `incomplete`. */
  readonly isEnough?: (checked: number) => boolean
}

export interface Verdict {
  readonly status: 'intact' | 'incomplete' | 'broken'
  readonly checked: number
  /** The last entry that is proved. */
  readonly position: AuditEnd
  /** The first entry that is wrong. */
  readonly broken: { readonly seq: number; readonly reason: string } | null
  /** Number of the entry that begins the chain, when this verification has read it. */
  readonly begins_at: number | null
}

const PAGE = 500

/** Ends the verification at the first entry that is wrong. */
class Broken extends Error {
  readonly seq: number

  constructor(seq: number, reason: string) {
    super(reason)
    this.seq = seq
  }
}

/**
 * Reads the trail in its order, page by page, and finds the first entry that was changed, removed, added or moved. An end that was
 * cut off together with the head shows only against `after` or `checkpoints`.
 */
export async function verifyAudit(options: VerifyOptions): Promise<Verdict> {
  const { read, isEnough = () => false, checkpoints = new Map() } = options
  const walk = new Walk(options.ring, checkpoints)
  const verdict = (status: Verdict['status'], broken: Verdict['broken'] = null): Verdict => {
    const { checked, position, beginsAt: begins_at } = walk
    return { status, checked, position, broken, begins_at }
  }
  try {
    if (options.after && options.after.seq > 0) walk.goOn(options.after, await read((audit) => entryAt(audit, options.after)))
    const end = await read((audit) => audit.end())
    for (;;) {
      // Numbers begin at 1: an entry that was put before them is read as well.
      const after = walk.position.seq || Number.MIN_SAFE_INTEGER
      const rows = await read((audit) => audit.page({ after, upTo: end.seq, limit: PAGE }))
      for (const row of rows) walk.step(row)
      if (rows.length < PAGE) break
      if (isEnough(walk.checked)) return verdict('incomplete')
    }
    walk.finish(end)
    return verdict('intact')
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    return verdict('broken', { seq: error.seq, reason: error.message })
  }
}

async function entryAt(audit: AuditReader, { seq }: AuditEnd = NO_ENTRIES): Promise<AuditRow | undefined> {
  return (await audit.page({ after: seq - 1, upTo: seq, limit: 1 }))[0]
}

/** One way along the trail. */
class Walk {
  readonly #ring: KeyRing
  readonly #checkpoints: ReadonlyMap<number, string>
  position: AuditEnd = NO_ENTRIES
  checked = 0
  beginsAt: number | null = null
  #keyVersion: number | null = null

  constructor(ring: KeyRing, checkpoints: ReadonlyMap<number, string>) {
    this.#ring = ring
    this.#checkpoints = checkpoints
  }

  goOn({ seq, hash }: AuditEnd, row: AuditRow | undefined): void {
    if (!row?.hash.equals(hash)) throw new Broken(seq, row ? 'it is not the entry that it was' : 'the entry is missing')
    this.#requireOwnHash(row)
    this.#keyVersion = row.key_version
    this.position = { seq, hash }
  }

  step(row: AuditRow): void {
    const { seq, hash } = this.position
    if (row.seq <= seq) throw new Broken(row.seq, 'it was added before the first entry')
    if (row.seq !== seq + 1) throw new Broken(seq + 1, 'the entry is missing')
    if (!row.prev_hash.equals(hash)) throw new Broken(row.seq, 'it does not follow the entry before it')
    this.#requireOwnHash(row)
    this.#requireKeyOrder(row)
    const checkpoint = this.#checkpoints.get(row.seq)
    if (checkpoint !== undefined && checkpoint !== row.hash.toString('hex'))
      throw new Broken(row.seq, 'it is another entry than the checkpoint says')
    this.position = { seq: row.seq, hash: row.hash }
    this.checked += 1
  }

  finish(end: Awaited<ReturnType<AuditReader['end']>>): void {
    const { seq, hash } = this.position
    if (seq < end.seq) throw new Broken(seq + 1, 'the entries from here on are missing')
    if (end.last > seq) throw new Broken(seq + 1, 'it was added behind the end of the trail')
    const latest = [...this.#checkpoints.keys()].reduce((a, b) => Math.max(a, b), 0)
    if (latest > seq) throw new Broken(seq + 1, `the entries from here on are missing: a checkpoint knows entry ${latest}`)
    if (!end.hash.equals(hash) || end.key_version !== this.#keyVersion)
      throw new Broken(seq, 'the head of the trail names another entry as the last one')
    if (this.#keyVersion === null)
      throw new Broken(seq + 1, 'no entry is chained with a key: if auth has ever started with one, the chain was removed')
  }

  #requireOwnHash(row: AuditRow): void {
    try {
      if (row.hash.equals(isKeyed(row) ? entryMac(this.#ring, row) : plainHash(row))) return
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      throw new Broken(row.seq, `it cannot be checked: ${error.message}`)
    }
    throw new Broken(row.seq, 'it was changed')
  }

  #requireKeyOrder(row: AuditRow): void {
    const isBegin = row.action === BEGIN.action && row.source === BEGIN.source
    if (this.#keyVersion === null && row.key_version !== null) {
      if (!isBegin || row.target_id !== String(row.seq - 1)) throw new Broken(row.seq, 'the chain does not begin where it began')
      this.beginsAt = row.seq
    } else if (row.key_version !== null && isBegin) throw new Broken(row.seq, 'the chain was begun a second time')
    if ((row.key_version ?? 0) < (this.#keyVersion ?? 0))
      throw new Broken(row.seq, 'it was made with an older key than the entry before it')
    this.#keyVersion = row.key_version
  }
}

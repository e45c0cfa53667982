/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const BROKEN = new Set([11, 26])
/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the file that processes share. */
const FULL = 13
const NO_SHARED_FILE = 4_874

/** Also when what SQLite could read makes no sense. */
export const isBroken = (error: unknown): boolean => error instanceof RangeError || BROKEN.has(errcodeOf(error) & 0xff)

/** The disk is full. The transaction was undone, and the file is as it was. */
export function isFull(error: unknown): boolean {
  const code = errcodeOf(error)
  return (code & 0xff) === FULL || code === NO_SHARED_FILE
}

const errcodeOf = (error: unknown): number =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0

import { cutText } from '@youworker/runtime/text/text'

/** Ends a cut text. */
const MARK = '…'
export const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '')

/** Cut to at most `max` bytes of JSON. */
export function clipBytes(text: string, max: number): string {
  let clipped = cutText(text, max, MARK)
  while (bytesOf(clipped) > max) clipped = cutText(clipped, Math.floor(clipped.length * 0.8), MARK)
  return clipped
}

/** Arguments for display: unchanged up to `max` bytes of JSON, else their first fields as cut texts. */
export function clipArgs(args: Record<string, unknown>, max: number): Record<string, unknown> {
  if (bytesOf(args) <= max) return args
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(args)) {
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
    const next = { ...shown, [cutText(name, 64, MARK)]: clipBytes(text, Math.floor(max / 4)) }
    if (bytesOf(next) > max) break
    Object.assign(shown, next)
  }
  return shown
}

/** The first entries that fit into `max` bytes of JSON. */
export function withinBytes<T>(entries: readonly T[], max: number): T[] {
  let bytes = 0
  const end = entries.findIndex((entry) => (bytes += bytesOf(entry) + 1) > max)
  return entries.slice(0, end === -1 ? undefined : end)
}

const FLOAT_BYTES = 4
const HALF_BYTES = 2

export const bytesOf = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array(0))

/** Copied, because numbers of four bytes need an offset that is divisible by four. */
export const floatsOf = (value: Uint8Array): Float32Array =>
  new Float32Array(Uint8Array.from(value).buffer, 0, Math.floor(value.byteLength / FLOAT_BYTES))

/** Numbers in half precision, as they are stored. */
export type Halves = Uint16Array

export const halvesOf = (value: unknown): Halves | undefined =>
  value instanceof Uint8Array ? new Uint16Array(value.buffer, value.byteOffset, value.byteLength / HALF_BYTES) : undefined

/** What each of them stands for: looking it up takes a fifth of the time that `Float16Array` needs. */
const VALUES = new Float32Array(new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer))

export const valuesOf = (halves: Halves): Float32Array => Float32Array.from(halves, (bits) => VALUES[bits] ?? 0)

export function unit(vector: Float32Array): Float32Array | undefined {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return length > 0 && Number.isFinite(length) ? vector.map((value) => value / length) : undefined
}

/** Four sums, because each addition would have to wait for the one before. */
export function dot(a: Float32Array, b: Halves): number {
  const whole = a.length - (a.length % 4)
  let [first, second, third, fourth] = [0, 0, 0, 0]
  for (let at = 0; at < whole; at += 4) {
    first += (a[at] ?? 0) * (VALUES[b[at] ?? 0] ?? 0)
    second += (a[at + 1] ?? 0) * (VALUES[b[at + 1] ?? 0] ?? 0)
    third += (a[at + 2] ?? 0) * (VALUES[b[at + 2] ?? 0] ?? 0)
    fourth += (a[at + 3] ?? 0) * (VALUES[b[at + 3] ?? 0] ?? 0)
  }
  for (let at = whole; at < a.length; at += 1) first += (a[at] ?? 0) * (VALUES[b[at] ?? 0] ?? 0)
  return first + second + third + fourth
}

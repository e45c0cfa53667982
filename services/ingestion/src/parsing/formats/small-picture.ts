import { decode, type DecodedPng, encode } from 'fast-png'

/** Three bytes for each pixel, row by row. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

/** Pixels of the longer side. */
export const LONGEST_SIDE = 1_400
/** So that it fits into one reply. */
const MOST_BYTES = 440 * 1024
/** One this small fits always. */
const SHORTEST_SIDE = 300
const FAST = 4

/** A PNG of bounded size; what is larger is drawn smaller. */
export function smallPicture(pixels: Pixels): Uint8Array {
  for (let side = LONGEST_SIDE; ;) {
    const { width, height, rgb: data } = shrink(pixels, side)
    const png = encode({ width, height, data, channels: 3, depth: 8 }, { zlib: { level: FAST } })
    if (png.length <= MOST_BYTES || side <= SHORTEST_SIDE) return png
    side = Math.max(SHORTEST_SIDE, Math.floor(side * Math.min(0.9, Math.sqrt(MOST_BYTES / png.length))))
  }
}

export const pixelsOf = (png: Uint8Array): Pixels => toRgb(decode(png))

/** Each pixel is the mean of those that it stands for. */
function shrink(pixels: Pixels, side: number): Pixels {
  const factor = side / Math.max(pixels.width, pixels.height)
  if (factor >= 1) return pixels
  const [width, height] = [sideOf(pixels.width, factor), sideOf(pixels.height, factor)]
  const rgb = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y += 1) {
    const rows = extent(y, height, pixels.height)
    for (let x = 0; x < width; x += 1) {
      const columns = extent(x, width, pixels.width)
      for (let channel = 0; channel < 3; channel += 1) rgb[(y * width + x) * 3 + channel] = meanOf(pixels, rows, columns, channel)
    }
  }
  return { width, height, rgb }
}

type Extent = readonly [from: number, to: number]

const sideOf = (length: number, factor: number): number => Math.max(1, Math.round(length * factor))
const extent = (at: number, of: number, length: number): Extent => {
  const from = Math.floor((at * length) / of)
  return [from, Math.max(from + 1, Math.floor(((at + 1) * length) / of))]
}

function meanOf({ width, rgb }: Pixels, [top, bottom]: Extent, [left, right]: Extent, channel: number): number {
  let sum = 0
  for (let y = top; y < bottom; y += 1) for (let x = left; x < right; x += 1) sum += rgb[(y * width + x) * 3 + channel] ?? 0
  return Math.round(sum / ((bottom - top) * (right - left)))
}

/** Of every kind of PNG; transparency is left out. */
function toRgb({ width, height, data, depth, channels, palette }: DecodedPng): Pixels {
  const rgb = new Uint8Array(width * height * 3)
  const perRow = depth < 8 ? Math.ceil((width * channels * depth) / 8) : width * channels
  const sample = (x: number, y: number, channel: number): number => {
    const n = x * channels + channel
    if (depth === 16) return (data[y * perRow + n] ?? 0) >> 8
    if (depth === 8) return data[y * perRow + n] ?? 0
    const bit = n * depth
    const value = ((data[y * perRow + (bit >> 3)] ?? 0) >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)
    return palette ? value : Math.round((value * 255) / ((1 << depth) - 1))
  }
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const colour = palette?.[sample(x, y, 0)]
      for (let channel = 0; channel < 3; channel += 1)
        rgb[(y * width + x) * 3 + channel] = colour ? (colour[channel] ?? 0) : sample(x, y, channels < 3 ? 0 : channel)
    }
  }
  return { width, height, rgb }
}

interface Size {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
}

/** Pixels as a file that every reader of pictures opens: PGM or PPM (netpbm). Transparency is left out. */
export function portableMap(pixels: Uint8ClampedArray, { width, height, channels }: Size): Uint8Array {
  const colours = channels === 1 ? 1 : 3
  const head = Buffer.from(`P${colours === 1 ? 5 : 6}\n${width} ${height}\n255\n`)
  const file = new Uint8Array(head.length + width * height * colours)
  file.set(head)
  if (channels !== 4) file.set(pixels.subarray(0, width * height * channels), head.length)
  else for (let from = 0, to = head.length; to < file.length; from += 4, to += 3) file.set(pixels.subarray(from, from + 3), to)
  return file
}

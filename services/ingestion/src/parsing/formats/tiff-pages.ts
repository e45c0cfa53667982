/** Pictures of one file; a longer list goes round in a circle. */
const MOST = 10_000
const HEADER = 8
const ENTRY = 12

/** Where each picture of a TIFF is described (TIFF 6.0, section 2). */
export function tiffPages(bytes: Uint8Array): number[] {
  const view = viewOf(bytes)
  const pages: number[] = []
  let at = bytes.length < HEADER ? 0 : view.getUint32(4, isLittle(bytes))
  while (at >= HEADER && at + 2 <= bytes.length && pages.length < MOST) {
    pages.push(at)
    const next = at + 2 + view.getUint16(at, isLittle(bytes)) * ENTRY
    at = next + 4 <= bytes.length ? view.getUint32(next, isLittle(bytes)) : 0
  }
  return pages
}

/** The same file with another picture as its first one. */
export function withFirst(bytes: Uint8Array, at: number): Uint8Array {
  const page = bytes.slice()
  viewOf(page).setUint32(4, at, isLittle(bytes))
  return page
}

const isLittle = (bytes: Uint8Array): boolean => bytes[0] === 0x49

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) => new DataView(buffer, byteOffset, byteLength)

import { familyOf, type FileMime } from '@youworker/contracts/file-types'
import { tiffPages, withFirst } from '../parsing/formats/tiff-pages.ts'

interface Drawn {
  readonly pages: number
  /** PNG in base64; missing behind the last page. */
  readonly picture?: string
}

/** Draws a page in the confined child. */
export async function drawPage(mime: FileMime, bytes: Uint8Array, page: number, languages: readonly string[]): Promise<Drawn> {
  const { pixelsOf, smallPicture } = await import('../parsing/formats/small-picture.ts')
  if (familyOf(mime) === 'pdf') {
    const { drawPdf } = await import('../parsing/formats/draw-pdf.ts')
    const { pages, pixels } = await drawPdf(bytes, page)
    return pixels ? { pages, picture: base64(smallPicture(pixels)) } : { pages }
  }
  const parts = mime === 'image/tiff' ? tiffPages(bytes) : []
  const pages = Math.max(1, parts.length)
  if (page > pages) return { pages }
  const part = parts[page - 1]
  const { openPicture } = await import('../parsing/formats/recognize-text.ts')
  const png = await openPicture(part === undefined || pages === 1 ? bytes : withFirst(bytes, part), languages)
  return { pages, picture: base64(smallPicture(pixelsOf(png))) }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

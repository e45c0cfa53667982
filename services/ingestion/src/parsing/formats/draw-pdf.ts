import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type PDFiumDocument, PDFiumLibrary } from '@hyzyla/pdfium'
import { Unreadable } from '../unreadable.ts'
import { LONGEST_SIDE, type Pixels } from './small-picture.ts'

/** Of a page that is small on paper. A point has 1/72 inch. */
const MOST_PIXELS_PER_POINT = 2.5

let loaded: Promise<PDFiumLibrary> | undefined

/** A page as a reader shows it, drawn by PDFium as WebAssembly. `page` from 1; `pixels` are missing behind the last page. */
export async function drawPdf(bytes: Uint8Array, page: number): Promise<{ readonly pages: number; readonly pixels?: Pixels }> {
  loaded ??= load()
  const document = await open(await loaded, bytes)
  try {
    const pages = document.getPageCount()
    return page > pages ? { pages } : { pages, pixels: await draw(document, page) }
  } finally {
    document.destroy()
  }
}

async function load(): Promise<PDFiumLibrary> {
  const { buffer, byteOffset, length } = await readFile(createRequire(import.meta.url).resolve('@hyzyla/pdfium/pdfium.wasm'))
  return PDFiumLibrary.init({ wasmBinary: new Uint8Array(buffer, byteOffset, length).slice().buffer })
}

async function open(library: PDFiumLibrary, bytes: Uint8Array): Promise<PDFiumDocument> {
  try {
    return await library.loadDocument(bytes)
  } catch (cause) {
    throw new Unreadable('the PDF is damaged or protected by a password; export it again', { cause })
  }
}

async function draw(document: PDFiumDocument, number: number): Promise<Pixels> {
  const page = document.getPage(number - 1)
  const { originalWidth, originalHeight } = page.getOriginalSize()
  const longest = Math.max(originalWidth, originalHeight)
  if (!(longest > 0)) throw new Unreadable(`page ${number} of the PDF has no size; export it again`)
  const scale = Math.min(MOST_PIXELS_PER_POINT, LONGEST_SIDE / longest)
  const { width, height, data } = await page.render({ scale, render: 'bitmap' })
  return { width, height, rgb: rgbOf(data, width * height) }
}

/** PDFium writes blue first, and a fourth byte that says nothing on white paper. */
function rgbOf(bgra: Uint8Array, count: number): Uint8Array {
  const rgb = new Uint8Array(count * 3)
  for (let at = 0, from = 0, to = 0; at < count; at += 1, from += 4, to += 3) {
    rgb[to] = bgra[from + 2] ?? 0
    rgb[to + 1] = bgra[from + 1] ?? 0
    rgb[to + 2] = bgra[from] ?? 0
  }
  return rgb
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A scan of the words "Bees need 27 days of leave and a warm garden."; the TIFF has a second page, "The second page". */
export const samplePicture = (format: 'png' | 'jpg' | 'gif' | 'webp' | 'tif'): Promise<Uint8Array> =>
  readFile(join(import.meta.dirname, `pictures/note.${format}`))

/** A PDF without a text layer: each page is one picture in JPEG of 620 x 120 pixels. */
export function sampleScan(pictures: readonly Uint8Array[]): Uint8Array {
  const parts: Buffer[] = [Buffer.from('%PDF-1.4\n')]
  const offsets: number[] = []
  let length = parts[0]?.length ?? 0
  const add = (...pieces: (string | Uint8Array)[]) => {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece)
      parts.push(bytes)
      length += bytes.length
    }
  }
  const object = (id: number, ...content: (string | Uint8Array)[]) => {
    offsets[id] = length
    add(`${id} 0 obj\n`, ...content, '\nendobj\n')
  }
  object(1, '<< /Type /Catalog /Pages 2 0 R >>')
  object(2, `<< /Type /Pages /Kids [${pictures.map((_, at) => `${3 + at * 3} 0 R`).join(' ')}] /Count ${pictures.length} >>`)
  for (const [at, picture] of pictures.entries()) {
    const id = 3 + at * 3
    const draw = 'q 620 0 0 120 0 0 cm /P Do Q'
    object(
      id,
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 620 120] /Resources << /XObject << /P ${id + 1} 0 R >> >> /Contents ${id + 2} 0 R >>`,
    )
    object(
      id + 1,
      `<< /Type /XObject /Subtype /Image /Width 620 /Height 120 /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode /Length ${picture.length} >>\nstream\n`,
      picture,
      '\nendstream',
    )
    object(id + 2, `<< /Length ${draw.length} >>\nstream\n${draw}\nendstream`)
  }
  const start = length
  const rows = offsets.slice(1).map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
  add(
    `xref\n0 ${offsets.length}\n0000000000 65535 f \n${rows.join('')}trailer\n<< /Size ${offsets.length} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`,
  )
  return Buffer.concat(parts)
}

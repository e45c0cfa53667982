import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A word that stands nowhere by chance. */
export const canary = (what: string): string => `${what}${crypto.randomUUID().replaceAll('-', '')}`

/** Every way in which a text lies in bytes: UTF-8 and UTF-16, hex, and base64 at its three alignments. */
function formsOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text)
  const aligned = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // The letters at either end also depend on the neighbours.
    return whole.slice(offset === 0 ? 0 : offset + 1, -2)
  })
  return [bytes, Buffer.from(text, 'utf16le'), ...[bytes.toString('hex'), ...aligned].map((form) => Buffer.from(form))]
}

/** Which of the texts stand in these bytes. */
export function findIn(bytes: Uint8Array, texts: Readonly<Record<string, string>>): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Object.entries(texts).flatMap(([name, text]) => (formsOf(text).some((form) => buffer.includes(form)) ? [name] : []))
}

/** `file: name` for each text found in any file below a folder. */
export async function findInFolder(dir: string, texts: Readonly<Record<string, string>>): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const found: string[] = []
  for (const entry of entries.filter((candidate) => candidate.isFile())) {
    const file = join(entry.parentPath, entry.name)
    // One that is gone by now was a temporary one.
    const bytes = await readFile(file).catch(() => undefined)
    if (bytes) found.push(...findIn(bytes, texts).map((name) => `${file.slice(dir.length + 1)}: ${name}`))
  }
  return found
}

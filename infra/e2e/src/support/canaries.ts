import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A unique word, which occurs nowhere by chance. */
export const canary = (what: string): string => `${what}${crypto.randomUUID().replaceAll('-', '')}`

/** The encodings in which a text may be stored: UTF-8, UTF-16, hex, and base64 at its three alignments. */
function formsOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text)
  const aligned = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    // The characters at both ends also encode bits of adjacent bytes.
    return whole.slice(offset === 0 ? 0 : offset + 1, -2)
  })
  return [bytes, Buffer.from(text, 'utf16le'), ...[bytes.toString('hex'), ...aligned].map((form) => Buffer.from(form))]
}

/** Names of the texts that the bytes contain. */
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
    // A file that no longer exists was a temporary one.
    const bytes = await readFile(file).catch(() => undefined)
    if (bytes) found.push(...findIn(bytes, texts).map((name) => `${file.slice(dir.length + 1)}: ${name}`))
  }
  return found
}

import { unzipSync, type UnzipFileInfo } from 'fflate'
import { PARSING } from '../parsing-parameters.ts'
import { type ReadingScope, tooBig } from '../reading-scope.ts'
import { decodeText } from '../text-encoding.ts'
import { Unreadable } from '../unreadable.ts'

/** Of what is in it to what it takes: more than any document reaches. Files below `UNSUSPICIOUS` bytes may. */
const MOST_COMPRESSED = 250
const UNSUSPICIOUS = 1024 ** 2
const LOCAL_HEADER = 0x04034b50
const FLAGS_AT = 6

/** A ZIP whose entries are inflated one by one, each within what the scope still allows. */
export class ZipFile {
  readonly #bytes: Uint8Array
  readonly #scope: ReadingScope
  readonly #entries = new Map<string, UnzipFileInfo>()

  /** Throws `Unreadable` when it is damaged, protected or a bomb. */
  constructor(bytes: Uint8Array, scope: ReadingScope) {
    this.#bytes = bytes
    this.#scope = scope
    const start = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (bytes.length > FLAGS_AT && start.getUint32(0, true) === LOCAL_HEADER && (start.getUint8(FLAGS_AT) & 1) === 1) {
      throw new Unreadable('it is protected by a password; remove the protection and send it again')
    }
    this.#unzip((entry) => {
      if (this.#entries.size >= PARSING.maxEntries)
        throw new Unreadable(`it holds more than ${PARSING.maxEntries} entries; send fewer at a time`)
      this.#entries.set(entry.name, entry)
      return false
    })
  }

  /** In the order of the file, without folders. */
  get names(): readonly string[] {
    return [...this.#entries.keys()].filter((name) => !name.endsWith('/'))
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  bytes(name: string): Uint8Array | undefined {
    const entry = this.#entries.get(name)
    if (!entry) return undefined
    const { size, originalSize } = entry
    if (originalSize > this.#scope.bytesLeft) throw tooBig()
    if (originalSize > UNSUSPICIOUS && originalSize > size * MOST_COMPRESSED) {
      throw new Unreadable(`${name} would become ${MOST_COMPRESSED} times larger and more; it is not opened`)
    }
    // Not all at a time: what was inflated before is given up.
    return this.#unzip((one) => one.name === name)[name]
  }

  /** Undefined when there is no such entry. */
  text(name: string): string | undefined {
    const bytes = this.bytes(name)
    if (!bytes) return undefined
    this.#scope.spend(bytes.length)
    return decodeText(bytes) ?? ''
  }

  #unzip(filter: (entry: UnzipFileInfo) => boolean): Record<string, Uint8Array> {
    try {
      return unzipSync(this.#bytes, { filter })
    } catch (cause) {
      if (cause instanceof Unreadable) throw cause
      throw new Unreadable('the file is damaged and cannot be opened; export it again', { cause })
    }
  }
}

import { familyOf, type FileMime, isFileMime } from '@youworker/contracts/file-types'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { BlobRow, DocumentRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ReaderPool } from '../../../reading/reader-pool.ts'
import { ParserDied } from '../../../reading/reader-process.ts'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { BlobStore } from '../../files/blob-store.ts'
import { FairSlots } from '../../runs/fair-slots.ts'
import type { DocumentService } from '../document-service.ts'
import { htmlOf } from './text-html.ts'

interface PreviewParts {
  readonly uow: IngestionUnitOfWork
  readonly sealer: Sealer
  readonly store: BlobStore
  readonly readers: ReaderPool
  readonly documents: DocumentService
}

interface Asked {
  readonly document_id: string
  readonly page: number
}

interface Preview {
  readonly bytes: Uint8Array
  readonly mime: 'image/png' | 'text/html; charset=utf-8'
  readonly pages: number
  /** The same as long as the page is the same. */
  readonly version: string
}

interface Found {
  readonly document: DocumentRow
  readonly blob: BlobRow
}

/** Pages that are drawn at a time. */
const DRAWN_AT_ONCE = 2
/** Passages of a page of text. */
const PASSAGES = 30
/** UTF-8 bytes; leaves room for the rest of the reply. */
const MOST_BYTES = LIMITS.wire - 32 * 1024
/** Of one space, the newest. */
const MOST_KEPT = 200
/** Families whose pages are shown as pictures. */
const DRAWN: ReadonlySet<string> = new Set(['pdf', 'image'])
/** Families whose lines and blanks tell something. */
const CODE: ReadonlySet<string> = new Set(['text', 'code', 'json', 'json-lines', 'xml'])

/** Shows pages of documents: of PDFs and pictures as they look, of all else the text that was read of it. */
export class PreviewService {
  readonly #parts: PreviewParts
  readonly #slots = new FairSlots({ total: DRAWN_AT_ONCE, each: 1 })

  constructor(parts: PreviewParts) {
    this.#parts = parts
  }

  async preview({ document_id, page }: Asked, context: UserContext): Promise<Preview> {
    const found = await this.#parts.documents.find(document_id, context)
    const { mime } = found.document
    if (!isFileMime(mime))
      throw new AppError('UNSUPPORTED_MEDIA_TYPE', `Files of type ${mime} have no preview; open their content`)
    return DRAWN.has(familyOf(mime)) ? this.#picture(found, mime, page, context) : this.#text(found, mime, page, context)
  }

  async #picture({ document, blob }: Found, mime: FileMime, page: number, { caller, signal }: UserContext): Promise<Preview> {
    const { uow, sealer } = this.#parts
    const { space_id } = blob
    const scope = uow.in([space_id])
    const kept = await scope.read(({ previews }) => previews.get(space_id, blob.id, page))
    const space = await sealer.forSpace(space_id)
    const context = { table: 'previews', id: `${blob.id}:${page}` }
    const version = document.sha256
    if (kept) return { bytes: space.open(kept.sealed, context), mime: 'image/png', pages: kept.pages, version }
    using _slot = await this.#slots.take(caller.user_id, signal)
    const { pages, picture } = await this.#draw(blob, mime, page, signal)
    if (picture === undefined) throw noPage(pages)
    const bytes = Buffer.from(picture, 'base64')
    const sealed = space.seal(bytes, context)
    await scope.write(({ previews }) => previews.put({ blob_id: blob.id, page, space_id, pages, sealed }, MOST_KEPT))
    return { bytes, mime: 'image/png', pages, version }
  }

  async #draw(blob: BlobRow, mime: FileMime, page: number, signal: AbortSignal) {
    const { store, readers } = this.#parts
    const open = await store.openAll([blob])
    try {
      return await readers.draw(blob.space_id, { mime, page, size: blob.size ?? 0, bytes: open(blob, signal), signal })
    } catch (error) {
      const isOfFile = error instanceof ParserDied || (error instanceof AppError && error.code === 'VALIDATION_ERROR')
      if (!isOfFile) throw error
      throw new AppError('UNSUPPORTED_MEDIA_TYPE', `This page cannot be shown: ${error.message}`, { cause: error })
    }
  }

  /** A version that is replaced meanwhile has no passages any more: then the next one is shown. */
  async #text({ document }: Found, mime: FileMime, page: number, context: UserContext): Promise<Preview> {
    const { id, generation, space_id, chunk_count, title, sha256 } = document
    const pages = Math.max(1, Math.ceil(chunk_count / PASSAGES))
    if (page > pages) throw noPage(pages)
    const first = (page - 1) * PASSAGES
    const rows = await this.#parts.uow
      .in([space_id])
      .read(({ documents }) => documents.chunks({ id, generation, space_id }, first - 2, PASSAGES + (first > 0 ? 1 : 0)))
    if (rows.length === 0 && chunk_count > 0) {
      const now = await this.#parts.documents.find(id, context)
      if (now.document.generation === generation) throw noPage(pages)
      return this.#text(now, mime, page, context)
    }
    const before = rows.find(({ index }) => index < first)
    const parts = rows.filter(({ index }) => index >= first)
    const html = htmlOf({ title, before, parts, isCode: CODE.has(familyOf(mime)) })
    const bytes = Buffer.from(html)
    if (bytes.length > MOST_BYTES) throw new AppError('PAYLOAD_TOO_LARGE', 'This page is too long to be shown; open the content')
    return { bytes, mime: 'text/html; charset=utf-8', pages, version: `${sha256}.${generation}` }
  }
}

const noPage = (pages: number) =>
  new AppError('DOCUMENT_NOT_FOUND', `This document has ${pages} ${pages === 1 ? 'page' : 'pages'}; ask for one of them`)

import type { DocumentBuilder } from '../document-builder.ts'
import type { getDocumentProxy } from 'unpdf'

export type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>

const MOST = 2_000
const DEEPEST = 4

type Node = Awaited<ReturnType<Pdf['getOutline']>>[number]

interface Bookmark {
  readonly title: string
  readonly depth: number
  /** From 1. */
  readonly page: number
}

/** Gives the text of each page its title path: a page belongs under the first bookmark that leads to it, else under the last one before. */
class Bookmarks {
  readonly #pages: ReadonlyMap<number, readonly Bookmark[]>

  constructor(bookmarks: readonly Bookmark[]) {
    this.#pages = Map.groupBy(bookmarks, ({ page }) => page)
  }

  enter(builder: DocumentBuilder, page: number): void {
    for (const { depth, title } of this.#pages.get(page)?.slice(0, 1) ?? []) builder.section(depth, title)
  }

  /** What follows belongs under the last one. */
  leave(builder: DocumentBuilder, page: number): void {
    for (const { depth, title } of this.#pages.get(page)?.slice(1) ?? []) builder.section(depth, title)
  }
}

/** A PDF whose bookmarks cannot be read is read without them. */
export async function readBookmarks(pdf: Pdf): Promise<Bookmarks> {
  try {
    const found: Bookmark[] = []
    await collect(pdf, (await pdf.getOutline()) ?? [], 1, found)
    return new Bookmarks(found)
  } catch {
    return new Bookmarks([])
  }
}

async function collect(pdf: Pdf, nodes: readonly Node[], depth: number, found: Bookmark[]): Promise<void> {
  if (depth > DEEPEST) return
  for (const { title, dest, items } of nodes) {
    if (found.length >= MOST) return
    const page = await pageOf(pdf, dest)
    if (page !== undefined) found.push({ title, depth, page })
    await collect(pdf, items, depth + 1, found)
  }
}

async function pageOf(pdf: Pdf, dest: Node['dest']): Promise<number | undefined> {
  const target: unknown = (typeof dest === 'string' ? await pdf.getDestination(dest) : dest)?.[0]
  if (typeof target === 'number') return target + 1
  if (typeof target !== 'object' || target === null || !('num' in target) || !('gen' in target)) return undefined
  const { num, gen } = target
  return typeof num === 'number' && typeof gen === 'number' ? (await pdf.getPageIndex({ num, gen })) + 1 : undefined
}

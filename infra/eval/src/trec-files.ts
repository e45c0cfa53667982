import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Judgements } from './measures.ts'

export interface Collection {
  readonly documents: ReadonlyMap<string, string>
  readonly queries: ReadonlyMap<string, string>
  readonly judgements: Judgements
}

/** Reads the files of a folder by what they hold. Throws with what lacks. */
export async function readCollection(dir: string): Promise<Collection> {
  const documents = new Map<string, string>()
  const queries = new Map<string, string>()
  const judgements = new Map<string, Map<string, number>>()
  for (const { parentPath, name } of (await readdir(dir, { withFileTypes: true, recursive: true })).filter((file) =>
    file.isFile(),
  )) {
    const text = await readFile(join(parentPath, name), 'utf8')
    if (/<DOC>/i.test(text)) for (const [id, content] of readDocuments(text)) documents.set(id, content)
    else if (/<top>/i.test(text)) for (const [id, query] of readQueries(text)) queries.set(id, query)
    else if (/^\S+\s+\S+\s+\S+\s+-?\d+\s*$/m.test(text))
      for (const [query, grades] of readJudgements(text)) judgements.set(query, grades)
  }
  const lacks = [
    documents.size === 0 && 'documents (<DOC><DOCNO>…</DOCNO>…</DOC>)',
    queries.size === 0 && 'queries (<top><num>…<title>…</top>)',
    judgements.size === 0 && 'judgements (lines of: query 0 document grade)',
  ].filter((lack) => lack !== false)
  if (lacks.length > 0) throw new Error(`${dir} has no ${lacks.join(' and no ')}`)
  return { documents, queries, judgements }
}

export function* readDocuments(text: string): Generator<[id: string, content: string]> {
  for (const part of text.split(/<DOC>/i).slice(1)) {
    const [, id, content = ''] = /<DOCNO>\s*(\S+?)\s*<\/DOCNO>([\s\S]*)/i.exec(part) ?? []
    if (id !== undefined) yield [id, plain(content)]
  }
}

/** The titles of topics, which are what a user would type. */
export function* readQueries(text: string): Generator<[id: string, query: string]> {
  for (const part of text.split(/<top>/i).slice(1)) {
    const id = /<num>\s*(?:Number:)?\s*([^\s<]+)/i.exec(part)?.[1]
    const title = /<title>\s*(?:Topic:)?([^<]+)/i.exec(part)?.[1]
    if (id !== undefined && title !== undefined) yield [id, title.replaceAll(/\s+/g, ' ').trim()]
  }
}

export function readJudgements(text: string): Map<string, Map<string, number>> {
  const judgements = new Map<string, Map<string, number>>()
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const [query, , document, grade] = line.trim().split(/\s+/)
    if (query === undefined || document === undefined || grade === undefined || !/^-?\d+$/.test(grade))
      throw new Error(`a judgement has four columns: query 0 document grade; this one is: ${line}`)
    const grades = judgements.get(query) ?? new Map<string, number>()
    judgements.set(query, grades.set(document, Number(grade)))
  }
  return judgements
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const plain = (markup: string): string =>
  markup
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&(\w+);/g, (entity, name: string) => ENTITIES[name] ?? entity)
    .trim()

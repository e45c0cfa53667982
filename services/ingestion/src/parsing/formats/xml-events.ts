import { Parser } from 'htmlparser2'
import { Unreadable } from '../unreadable.ts'

/** Deeper than any document; the time of the parser grows with the square of the depth. */
const DEEPEST = 500

export type Attributes = Readonly<Record<string, string>>

export interface XmlHandler {
  open?(name: string, attributes: Attributes, parent: string | undefined): void
  text?(text: string, parent: string | undefined): void
  close?(name: string, parent: string | undefined): void
}

/** Elements with their prefixes, one after the other. Entities of the file's own are not expanded. */
export function readXml(xml: string, handler: XmlHandler): void {
  const path: string[] = []
  const parser = new Parser(
    {
      onopentag: (name, attributes) => {
        if (path.length >= DEEPEST) throw new Unreadable('it is nested too deeply to be read; save it in a simpler form')
        handler.open?.(name, attributes, path.at(-1))
        path.push(name)
      },
      ontext: (text) => handler.text?.(text, path.at(-1)),
      onclosetag: (name) => {
        path.pop()
        handler.close?.(name, path.at(-1))
      },
    },
    { xmlMode: true, decodeEntities: true },
  )
  parser.end(xml)
}

/** Targets by id, of a part of Office Open XML (ECMA-376 part 2), as paths in the package. */
export function readRelations(xml: string | undefined, folder: string): { id: string; type: string; target: string }[] {
  const relations: { id: string; type: string; target: string }[] = []
  readXml(xml ?? '', {
    open: (name, { Id: id = '', Type: type = '', Target: target = '', TargetMode: mode }) => {
      if (name.endsWith('Relationship') && mode !== 'External')
        relations.push({ id, type: type.replace(/^.*\//, ''), target: resolve(folder, target) })
    },
  })
  return relations
}

/** A path within a package, as seen from one of its folders. */
export function resolve(folder: string, target: string): string {
  const [from, path] = target.startsWith('/') ? ['', target.slice(1)] : [folder, target]
  const parts: string[] = []
  for (const part of `${from}/${path}`.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.' && part !== '') parts.push(part)
  }
  return parts.join('/')
}

/** `dc:title` of the properties of a document. */
export function titleIn(xml: string | undefined): string | undefined {
  let title = ''
  readXml(xml ?? '', { text: (text, parent) => void (parent === 'dc:title' ? (title += text) : undefined) })
  return title.trim() || undefined
}

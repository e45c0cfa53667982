import type { ParsedDocument } from '../parsed-document.ts'
import { PARSING } from '../parsing-parameters.ts'
import { Outline } from '../outline.ts'

/** A definition that is longer is cut into those within it, below its first line. UTF-16 units; about what fits into a passage. */
const WHOLE = 1_400
const DEEPEST = 6
const TAB = 4

interface Line {
  readonly start: number
  /** Behind the line end. */
  readonly end: number
  /** Columns; undefined for a blank line. */
  readonly indent: number | undefined
  /** Ends what the lines before it began, as `}` does. */
  readonly closes: boolean
  /** Belongs to what follows it: a comment, a decorator. */
  readonly leads: boolean
}

/**
 * Functions, classes and other definitions of a source code, each whole as far as it fits. They are found by their indentation, which
 * programs of all languages have in common: what is indented belongs to the line above it.
 */
export function parseCode(text: string): ParsedDocument {
  const outline = new Outline()
  addParts(outline, text, linesOf(text), 1)
  return { ...outline.finish(text), title: undefined }
}

function addParts(outline: Outline, text: string, lines: readonly Line[], depth: number): void {
  for (const part of partsOf(lines)) {
    const [first, last] = [part[0], part.findLast(({ indent }) => indent !== undefined)]
    if (!first || !last) continue
    const end = first.start + text.slice(first.start, last.end).trimEnd().length
    const inner = end - first.start > WHOLE && depth < DEEPEST ? innerOf(part) : undefined
    if (!inner) {
      outline.addContent({ start: first.start, end }, { kind: 'code' })
      continue
    }
    const head = part.find(({ leads, indent }) => !leads && indent !== undefined) ?? first
    outline.addHeading({ depth, title: titleOf(text, head), start: first.start, end: head.end })
    outline.addContent(
      { start: first.start, end: first.start + text.slice(first.start, inner.from.start).trimEnd().length },
      { kind: 'code' },
    )
    addParts(outline, text, inner.lines, depth + 1)
    outline.leave(depth)
  }
}

/** The lines that are indented more than the first ones, when there are any. */
function innerOf(part: readonly Line[]): { from: Line; lines: readonly Line[] } | undefined {
  const outer = part.find(({ indent }) => indent !== undefined)?.indent ?? 0
  const at = part.findIndex(({ indent }) => indent !== undefined && indent > outer)
  const from = part[at]
  return from && at > 0 ? { from, lines: part.slice(at) } : undefined
}

/** Each begins with a line of the least indentation, or with the comments above it. */
function partsOf(lines: readonly Line[]): Line[][] {
  const outer = lines.reduce(
    (least, { indent, closes }) => (closes ? least : Math.min(least, indent ?? least)),
    Number.POSITIVE_INFINITY,
  )
  const parts: Line[][] = []
  let leading = false
  for (const line of lines) {
    const begins = line.indent !== undefined && line.indent <= outer && !line.closes
    if (parts.length === 0 || (begins && !leading)) parts.push([])
    parts.at(-1)?.push(line)
    if (line.indent !== undefined) leading = begins && line.leads
  }
  return parts
}

function linesOf(text: string): Line[] {
  const lines: Line[] = []
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline === -1 ? text.length : newline + 1
    const line = text.slice(start, Math.min(end, start + 200))
    const content = line.trimStart()
    const indent = content === '' ? undefined : columns(line.slice(0, line.length - content.length))
    lines.push({
      start,
      end,
      indent,
      closes: /^(?:[)\]}]|end\b(?!\()|<\/)/.test(content),
      leads: /^(?:\/\/|\/?\*|#|--|@|;|\[)/.test(content),
    })
    start = end
  }
  return lines
}

const columns = (blanks: string): number => blanks.length + (TAB - 1) * (blanks.split('\t').length - 1)

function titleOf(text: string, { start, end }: Line): string {
  let title = text.slice(start, Math.min(end, start + PARSING.maxTitle)).trim()
  while (/[{:(]$/.test(title)) title = title.slice(0, -1).trimEnd()
  return title
}

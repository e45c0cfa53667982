import type { ParsedBlock, ParsedDocument } from '../parsed-document.ts'

const BLANK_LINE = /\n(?=[ \t\r]*\n)/g

/** The paragraphs of a plain text, separated by blank lines. */
export function parseText(text: string): ParsedDocument {
  const blocks: ParsedBlock[] = []
  const add = (from: number, to: number) => {
    const part = text.slice(from, to)
    const paragraph = part.trim()
    if (paragraph === '') return
    const start = from + part.length - part.trimStart().length
    blocks.push({ text: paragraph, start, end: start + paragraph.length, title_path: [] })
  }
  let from = 0
  for (const { index } of text.matchAll(BLANK_LINE)) {
    add(from, index)
    from = index + 1
  }
  add(from, text.length)
  return { title: undefined, text, blocks }
}

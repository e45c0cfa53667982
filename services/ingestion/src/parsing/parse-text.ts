import type { ParsedBlock, ParsedDocument } from './parsed-document.ts'

const PARAGRAPH = /\S(?:[^\n]|\n(?![ \t\r]*\n))*/g

/** Plain text: paragraphs are parted by blank lines. */
export function parseText(text: string): ParsedDocument {
  const blocks = Array.from(text.matchAll(PARAGRAPH), ({ 0: paragraph, index: start }): ParsedBlock => {
    const trimmed = paragraph.trimEnd()
    return { text: trimmed, start, end: start + trimmed.length, title_path: [] }
  })
  return { title: undefined, text, blocks }
}

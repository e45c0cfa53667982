import type { Heading, RootContent } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table'
import { toString } from 'mdast-util-to-string'
import { cleanText, cutText } from '@youworker/runtime/text/text'
import { gfmTable } from 'micromark-extension-gfm-table'
import { Outline } from '../outline.ts'
import type { ParsedBlock, ParsedDocument } from '../parsed-document.ts'
import { PARSING } from '../parsing-parameters.ts'
import { parseText } from './parse-text.ts'

const FRONT_MATTER = /^---\r?\n[\s\S]*?\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|$)/
const BYTE_ORDER_MARK = '\u{FEFF}'

/** UTF-16 units. A longer text is read in windows of at least this length, so that only a small tree is in memory at a time. */
const WINDOW = 64_000

/** Tables as in GFM; words inside a block are left alone, which makes hostile runs of brackets and asterisks cheap. */
const BLOCKS_ONLY = {
  extensions: [
    gfmTable(),
    {
      disable: {
        null: [
          'attention',
          'autolink',
          'characterEscape',
          'characterReference',
          'codeText',
          'hardBreakEscape',
          'htmlText',
          'labelEnd',
          'labelStartImage',
          'labelStartLink',
        ],
      },
    },
  ],
  mdastExtensions: [gfmTableFromMarkdown()],
}

/**
 * The top-level blocks of a Markdown text (CommonMark 0.31 with GFM tables) under their headings. Front matter is skipped. A text
 * above `PARSING.maxMarkdown` is read as plain paragraphs.
 */
export function parseMarkdown(text: string): ParsedDocument {
  if (text.length > PARSING.maxMarkdown) return parseText(text)
  const outline = new Outline()
  for (const { node, start, end } of topLevelNodes(text, FRONT_MATTER.exec(text)?.[0].length ?? 0)) {
    if (node === undefined) addParagraphs(outline, text.slice(start, end), start)
    else if (node.type === 'heading') outline.addHeading({ depth: node.depth, title: titleOf(node), start, end })
    else if (node.type !== 'thematicBreak') outline.addContent({ start, end }, detailsOf(node, text.slice(start, end)))
  }
  return outline.finish(text)
}

function detailsOf(node: RootContent, text: string): Pick<ParsedBlock, 'kind' | 'header'> {
  if (node.type === 'code') return { kind: 'code' }
  return node.type === 'table' ? { kind: 'table', header: headerOf(text) } : {}
}

/** The row with the names of the columns, and the line below it. */
const headerOf = (table: string): string => table.split('\n', 2).join('\n')

function addParagraphs(outline: Outline, text: string, offset: number): void {
  for (const { start, end } of parseText(text).blocks) outline.addContent({ start: offset + start, end: offset + end })
}

interface LocatedNode {
  /** Missing for a stretch that is too long for a tree: it is read as plain paragraphs. */
  readonly node?: RootContent
  /** Offsets into the whole text, in UTF-16 units. */
  readonly start: number
  readonly end: number
}

/**
 * Reads window after window. The last node of a window may go on behind it, so the next window begins with the line of that node;
 * a window that holds a single node is doubled. All nodes before the last are the same as in a tree of the whole text, because
 * Markdown decides line by line whether a block goes on.
 */
function* topLevelNodes(text: string, bodyStart: number): Generator<LocatedNode> {
  // micromark drops the mark without counting it.
  let from = text.startsWith(BYTE_ORDER_MARK, bodyStart) ? bodyStart + 1 : bodyStart
  let size = WINDOW
  while (from < text.length) {
    const newline = text.indexOf('\n', from + size)
    const to = newline === -1 ? text.length : newline + 1
    const nodes = fromMarkdown(text.slice(from, to), BLOCKS_ONLY).children.map((node) => locate(node, from))
    const last = to < text.length ? nodes.pop() : undefined
    if (last && nodes.length === 0) {
      if (size >= PARSING.maxMarkdownBlock) return yield { start: from, end: text.length }
      size *= 2
      continue
    }
    yield* nodes
    size = WINDOW
    from = last ? last.start - ((last.node?.position?.start.column ?? 1) - 1) : to
  }
}

const locate = (node: RootContent, offset: number): LocatedNode => ({
  node,
  start: offset + (node.position?.start.offset ?? 0),
  end: offset + (node.position?.end.offset ?? 0),
})

/** A heading's words without links and emphasis. The closing sign keeps one that belongs to the words, as in `C #`. */
function titleOf(heading: Heading): string {
  const source = cleanText(toString(heading), { lines: 'join', max: PARSING.maxHeading })
  return cutText(toString(fromMarkdown(`# ${source} #`)).trim(), PARSING.maxTitle)
}

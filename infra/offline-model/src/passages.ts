import { cutText } from '@youworker/runtime/text/text'

/** One passage of a knowledge_search result. The agent writes it as `[n] title, p. N`, then its text. */
export interface Passage {
  readonly n: number
  readonly title: string
  readonly text: string
}

export interface Sentence {
  readonly text: string
  /** Number of the sentence's passage. */
  readonly n: number
  /** Title and heading above the sentence. */
  readonly heading: string
}

const HEAD = /^\[(\d{1,6})\] (.+)$/
const LONGEST = 500

/** Reads the passages of a search result. A blank line precedes each `[n] title`, and a text may contain blank lines too. */
export function parsePassages(result: string): Passage[] {
  const passages: { n: number; title: string; lines: string[] }[] = []
  let afterBlank = true
  for (const line of result.split(/\r?\n/)) {
    const head = afterBlank ? HEAD.exec(line) : null
    if (head) passages.push({ n: Number(head[1]), title: head[2] ?? '', lines: [] })
    else passages.at(-1)?.lines.push(line)
    afterBlank = line.trim() === ''
  }
  return passages.map(({ n, title, lines }) => ({ n, title, text: lines.join('\n').trim() }))
}

const HEADING = /^#{1,6}\s(.*)$/
const ITEM = /^(?:[-*+•]|\d{1,3}[.)])\s(.*)$/
const ROW = /^\|(.*)\|$/
const FENCE = /^(?:```|~~~)/
const INDENTED = /^(?: {4}|\t)/
const RULE = /^[\s|:=_*-]+$/

/** The sentences of a passage, each with the heading above it. Headings are not sentences. */
export function sentencesOf({ n, title, text }: Passage): Sentence[] {
  const sentences: Sentence[] = []
  let heading = ''
  for (const block of blocksOf(text)) {
    if (block.kind === 'heading') heading = block.text
    else for (const sentence of split(block.text)) sentences.push({ text: sentence, n, heading: `${title} ${heading}` })
  }
  // A passage may consist of headings only.
  if (sentences.length === 0 && heading !== '') sentences.push({ text: heading, n, heading: title })
  return sentences
}

interface Block {
  readonly kind: 'heading' | 'text'
  readonly text: string
}

/** Splits a text into blocks. Joins wrapped lines; a heading, list item, table row or line of code is a block of its own. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = []
  let open: string[] = []
  let fenced = false
  const close = () => {
    if (open.length > 0) blocks.push({ kind: 'text', text: plain(open.join(' ')) })
    open = []
  }
  const lines = text.split('\n')
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim()
    const fence = FENCE.test(line)
    if (fence) fenced = !fenced
    const code = fenced || (INDENTED.test(raw) && open.length === 0 && !ITEM.test(line))
    const inParagraph = /[^.!?:。]$/.test(open.at(-1) ?? '')
    const heading = code
      ? undefined
      : (HEADING.exec(line)?.[1] ?? (inParagraph ? undefined : bareHeading(line, lines[index + 1]?.trim())))
    const single = code ? line : ROW.exec(line)?.[1]
    const apart = heading ?? single ?? ITEM.exec(line)?.[1]
    const nothing = line === '' || fence || RULE.test(line)
    if (apart !== undefined || nothing) close()
    if (heading !== undefined) blocks.push({ kind: 'heading', text: plain(heading) })
    else if (!nothing) open.push(apart ?? line)
    if (single !== undefined) close()
  }
  close()
  return blocks
}

const BARE_HEADING = /^(?:\d{1,2}(?:\.\d{1,2})*\.?\s+)?\p{Lu}[^\d|]*[^\s\d.!?:;,。！？|]$/u

/**
 * Recognises a heading in PDF and plain text, which do not mark them: a short line without a full stop, followed by an empty line or
 * by one that begins a sentence or list.
 */
function bareHeading(line: string, next: string | undefined): string | undefined {
  if (line.length > 60 || next === undefined || !BARE_HEADING.test(line) || line.split(' ').length > 7) return undefined
  return next === '' || /^[\p{Lu}\p{N}•*-]/u.test(next) ? line : undefined
}

const plain = (text: string): string =>
  text
    .replaceAll(/\*\*|\b__|__\b|`/g, '')
    .replaceAll(/!?\[([^[\]]*)\]\([^()]*\)/g, '$1')
    .replaceAll(/\s+/g, ' ')
    .trim()

const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' })
const ABBREVIATION = /(?:\b(?:e\.g|i\.e|etc|cf|vs|approx|no|nr|art|sec|fig|p|pp|dr|mr|mrs|ms|prof|st|inc|ltd|co)|\b\p{Lu})\.$/iu

function split(text: string): string[] {
  const sentences: string[] = []
  let open = ''
  for (const { segment } of segmenter.segment(text)) {
    open += segment
    if (ABBREVIATION.test(open.trimEnd())) continue
    sentences.push(open)
    open = ''
  }
  if (open !== '') sentences.push(open)
  return sentences.map((sentence) => shorten(sentence.trim())).filter((sentence) => /[\p{L}\p{N}]/u.test(sentence))
}

function shorten(sentence: string): string {
  if (sentence.length <= LONGEST) return sentence
  const cut = cutText(sentence, LONGEST)
  return `${cut.slice(0, cut.lastIndexOf(' ') > 0 ? cut.lastIndexOf(' ') : LONGEST)} …`
}

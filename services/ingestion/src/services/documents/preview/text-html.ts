/** A passage of a document, in its order. */
export interface PreviewPart {
  readonly text: string
  readonly title_path: readonly string[]
  readonly page: number | null
  readonly start: number
  readonly end: number
}

interface PreviewText {
  readonly title: string
  /** The passage before the first one, which may end within it. */
  readonly before: PreviewPart | undefined
  readonly parts: readonly PreviewPart[]
  /** Lines and blanks stay as they are. */
  readonly isCode: boolean
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')

/** Of Markdown, to sites and mail addresses only; a picture behind an address is its name. */
const LINK = /!?\[([^[\]\n]{1,300})\]\(((?:https?:\/\/|mailto:)[^\s()<>"']{1,2000})\)/g

/**
 * A part of the text of a document as a page of HTML that is written here element by element: what comes from the file is escaped, and
 * nothing of it is loaded or run. Viewers find a passage by `data-start` and `data-end`, its place in the text of the document.
 */
export function htmlOf({ title, before, parts, isCode }: PreviewText): string {
  const sections: string[] = []
  let last = before
  for (const part of parts) {
    const attributes = `data-start="${part.start}" data-end="${part.end}"${part.page === null ? '' : ` data-page="${part.page}"`}`
    const headings = isCode ? '' : headingsOf(part, last)
    const text = newTextOf(part, last)
    const body = isCode ? `<pre>${escapeHtml(text)}</pre>` : blocksOf(text)
    sections.push(`<section ${attributes}>${headings}${body}</section>`)
    last = part
  }
  const head = `<meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>${escapeHtml(title)}</title>`
  return `<!doctype html><html><head>${head}</head><body>\n${sections.join('\n')}\n</body></html>\n`
}

/** Without the row of names that stands before a part of a table, and without what the passage before has already. */
function newTextOf({ text, start, end }: PreviewPart, last: PreviewPart | undefined): string {
  const own = text.slice(Math.max(0, text.length - (end - start)))
  return last === undefined || last.end <= start ? own : own.slice(last.end - start)
}

/** Those that the text before was not under. */
function headingsOf({ title_path, text }: PreviewPart, last: PreviewPart | undefined): string {
  const same = title_path.findIndex((title, at) => last?.title_path[at] !== title)
  if (same < 0) return ''
  const opening = text.trimStart().replace(/^#{1,6} /, '')
  const own = title_path.slice(same).map((title, at) => ({ title, depth: Math.min(6, same + at + 1) }))
  // A heading with nothing below it is the text itself.
  const missing = own.filter(({ title }) => !opening.startsWith(title))
  return missing.map(({ title, depth }) => `<h${depth}>${escapeHtml(title)}</h${depth}>`).join('')
}

type Kind = 'table' | 'list' | 'code' | 'heading' | 'text' | 'empty'

function kindOf(line: string): Kind {
  if (line.trim() === '') return 'empty'
  if (line.startsWith('|')) return 'table'
  if (/^ {0,12}(?:[-*+•]|\d{1,4}[.)]) /.test(line)) return 'list'
  return /^#{1,6} /.test(line) ? 'heading' : 'text'
}

/** Lines of the same kind belong together. A fence makes code of all up to the next one. */
function blocksOf(text: string): string {
  const blocks: { kind: Kind; lines: string[] }[] = []
  let isFenced = false
  for (const line of text.split('\n')) {
    const isFence = line.startsWith('```') || line.startsWith('~~~')
    if (isFence) isFenced = !isFenced
    const kind = isFence ? 'empty' : isFenced ? 'code' : kindOf(line)
    const open = blocks.at(-1)
    if (open?.kind === kind && kind !== 'heading') open.lines.push(line)
    else blocks.push({ kind, lines: isFence ? [] : [line] })
  }
  return blocks.map(({ kind, lines }) => blockOf(kind, lines)).join('')
}

function blockOf(kind: Kind, lines: readonly string[]): string {
  switch (kind) {
    case 'empty':
      return ''
    case 'code':
      return `<pre>${escapeHtml(lines.join('\n'))}</pre>`
    case 'table':
      return tableOf(lines)
    case 'list':
      return `<ul>${lines.map((line) => `<li>${inline(line.trim().replace(/^(?:[-*+•]|\d{1,4}[.)]) /, ''))}</li>`).join('')}</ul>`
    case 'heading':
      return lines.map(headingOf).join('')
    case 'text':
      return `<p>${lines.map(inline).join('<br>')}</p>`
  }
}

function headingOf(line: string): string {
  const depth = line.indexOf(' ')
  return `<h${depth}>${inline(line.slice(depth + 1))}</h${depth}>`
}

function tableOf(lines: readonly string[]): string {
  const isRule = (line: string) => /^[|:\- ]{3,500}$/.test(line) && line.includes('-')
  const rows = lines
    .filter((line) => !isRule(line))
    .map((line) =>
      cellsOf(line)
        .map((cell) => `<td>${inline(cell)}</td>`)
        .join(''),
    )
  return `<table>${rows.map((cells) => `<tr>${cells}</tr>`).join('')}</table>`
}

/** A sign behind a backslash belongs to the cell. */
function cellsOf(line: string): string[] {
  const cells = line.trim().replaceAll('\\|', '\u0000').split('|')
  const inner = cells.slice(1, cells.at(-1)?.trim() === '' ? -1 : undefined)
  return inner.map((cell) => cell.replaceAll('\u0000', '|').trim())
}

function inline(text: string): string {
  let html = ''
  let from = 0
  for (const { index, 0: whole, 1: label = '', 2: address = '' } of text.matchAll(LINK)) {
    const isPicture = whole.startsWith('!')
    const attributes = `href="${escapeHtml(address)}" rel="noopener noreferrer nofollow" target="_blank"`
    html += escapeHtml(text.slice(from, index))
    html += isPicture ? escapeHtml(label) : `<a ${attributes}>${escapeHtml(label)}</a>`
    from = index + whole.length
  }
  return html + escapeHtml(text.slice(from))
}

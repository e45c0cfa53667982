import { cleanText } from '@youworker/runtime/text/text'
import { DocumentBuilder } from '../document-builder.ts'
import type { ParsedDocument } from '../parsed-document.ts'

/** Groups whose text is not shown (Rich Text Format 1.9.1). */
const HIDDEN = new Set(
  'fonttbl colortbl stylesheet info pict object themedata colorschememapping datastore latentstyles listtable listoverridetable rsidtbl generator xmlnstbl header footer headerl headerr headerf footerl footerr footerf fldinst bkmkstart bkmkend objdata blipuid mmathPr wgrffmtfilter'.split(
    ' ',
  ),
)
const SIGNS: Readonly<Record<string, string>> = {
  tab: '\t',
  line: '\n',
  emdash: '—',
  endash: '–',
  bullet: '•',
  lquote: '‘',
  rquote: '’',
  ldblquote: '“',
  rdblquote: '”',
  emspace: ' ',
  enspace: ' ',
}
/** Windows' number of a code page, as Encoding names it. */
const CODE_PAGES: Readonly<Record<number, string>> = {
  932: 'shift_jis',
  936: 'gbk',
  949: 'euc-kr',
  950: 'big5',
  10000: 'macintosh',
  65001: 'utf-8',
}
/** A charset of a font, as a code page. */
const CHARSETS: Readonly<Record<number, number>> = {
  0: 1252,
  77: 10000,
  128: 932,
  129: 949,
  134: 936,
  136: 950,
  161: 1253,
  162: 1254,
  163: 1258,
  177: 1255,
  178: 1256,
  186: 1257,
  204: 1251,
  222: 874,
  238: 1250,
}

const TOKEN = /\\([a-z]+)(-?\d+)? ?|\\'([0-9a-f]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)/gi

interface Group {
  readonly hidden: boolean
  /** Of a hidden one. */
  readonly destination: string
  readonly codePage: number
  /** Signs that stand for one of Unicode where a program does not know it. */
  readonly fallback: number
}

/** Paragraphs and tables. */
export function parseRtf(rtf: string): ParsedDocument {
  const reader = new RtfReader()
  for (const [, word, number, byte, sign, brace, text] of rtf.matchAll(TOKEN)) {
    if (brace === '{') reader.open()
    else if (brace === '}') reader.close()
    else if (byte !== undefined) reader.byte(Number.parseInt(byte, 16))
    else if (word !== undefined) reader.word(word, number === undefined ? undefined : Number(number))
    else if (sign !== undefined) reader.sign(sign)
    else if (text !== undefined) reader.text(text)
  }
  return reader.finish()
}

class RtfReader {
  readonly #builder = new DocumentBuilder()
  readonly #fonts = new Map<number, number>()
  readonly #groups: Group[] = []
  #group: Group = { hidden: false, destination: '', codePage: 1252, fallback: 1 }
  #font = 0
  #bytes: number[] = []
  #skip = 0
  #text = ''
  #title = ''
  #inTable = false
  /** Depth of a heading. */
  #level: number | undefined
  #row: string[] = []
  #rows: string[][] = []

  open(): void {
    this.#endBytes()
    this.#groups.push(this.#group)
  }

  close(): void {
    this.#endBytes()
    this.#group = this.#groups.pop() ?? this.#group
  }

  byte(byte: number): void {
    if (this.#skip > 0) this.#skip -= 1
    else this.#bytes.push(byte)
  }

  text(text: string): void {
    this.#endBytes()
    const from = Math.min(this.#skip, text.length)
    this.#skip -= from
    this.#put(text.slice(from))
  }

  sign(sign: string): void {
    if (sign === '*') return this.#hide('')
    this.#endBytes()
    if (sign === '~') this.#put(' ')
    else if (sign === '_') this.#put('-')
    else if ('\\{}'.includes(sign)) this.#put(sign)
    else if (sign === '\n' || sign === '\r') this.#paragraph()
  }

  word(word: string, number: number | undefined): void {
    if (word !== 'u') this.#endBytes()
    if (HIDDEN.has(word)) return this.#hide(word)
    if (word === 'title' && this.#group.destination === 'info') this.#group = { ...this.#group, destination: 'title' }
    else if (word === 'u') this.#unicode(number ?? 0)
    else if (word === 'uc') this.#group = { ...this.#group, fallback: Math.min(8, Math.max(0, number ?? 1)) }
    else if (word === 'ansicpg') this.#group = { ...this.#group, codePage: number ?? 1252 }
    else if (word === 'f') this.#useFont(number ?? 0)
    else if (word === 'fcharset') this.#fonts.set(this.#font, CHARSETS[number ?? 0] ?? 1252)
    else if (word === 'outlinelevel') this.#setLevel(number ?? 9)
    else if (word === 'intbl') this.#inTable = true
    else if (word === 'pard') this.#endFormat()
    else if (word === 'par' || word === 'sect' || word === 'page') this.#paragraph()
    else if (word === 'cell' || word === 'nestcell') this.#cell()
    else if (word === 'row' || word === 'nestrow') this.#endRow()
    else this.#put(SIGNS[word] ?? '')
  }

  finish(): ParsedDocument {
    this.#endBytes()
    this.#inTable = false
    this.#paragraph()
    this.#endTable()
    this.#builder.title = this.#title
    return this.#builder.finish()
  }

  #setLevel(number: number): void {
    if (!this.#group.hidden && number < 9) this.#level = number + 1
  }

  #endFormat(): void {
    if (this.#group.hidden) return
    this.#inTable = false
    this.#level = undefined
  }

  #hide(destination: string): void {
    this.#group = { ...this.#group, hidden: true, destination: this.#group.hidden ? this.#group.destination : destination }
  }

  #useFont(font: number): void {
    this.#font = font
    const codePage = this.#group.destination === 'fonttbl' ? undefined : this.#fonts.get(font)
    if (codePage !== undefined) this.#group = { ...this.#group, codePage }
  }

  #unicode(code: number): void {
    this.#endBytes()
    this.#put(String.fromCharCode(code < 0 ? code + 65_536 : code))
    this.#skip = this.#group.fallback
  }

  /** Bytes of one character may stand one by one. */
  #endBytes(): void {
    if (this.#bytes.length === 0) return
    const bytes = Uint8Array.from(this.#bytes)
    this.#bytes = []
    this.#put(new TextDecoder(encodingOf(this.#group.codePage)).decode(bytes))
  }

  #put(text: string): void {
    if (this.#group.destination === 'title') this.#title += text
    else if (!this.#group.hidden) this.#text += text
  }

  #paragraph(): void {
    if (this.#group.hidden) return
    if (this.#inTable) return void (this.#text += '\n')
    const text = cleanText(this.#text).trim()
    if (text === '') return
    this.#text = ''
    this.#endTable()
    if (this.#level === undefined) this.#builder.add(text)
    else this.#builder.heading(this.#level, text)
  }

  #cell(): void {
    this.#row.push(this.#text.trim())
    this.#text = ''
  }

  #endRow(): void {
    if (this.#row.length > 0) this.#rows.push(this.#row)
    this.#row = []
    this.#text = ''
  }

  #endTable(): void {
    if (this.#rows.length > 0) this.#builder.table(this.#rows)
    this.#rows = []
  }
}

function encodingOf(codePage: number): string {
  const name = CODE_PAGES[codePage] ?? `windows-${codePage}`
  try {
    return new TextDecoder(name).encoding
  } catch {
    return 'windows-1252'
  }
}

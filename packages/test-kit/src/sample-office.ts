import { strToU8, zipSync } from 'fflate'

/** A ZIP of these entries. */
export function sampleZip(entries: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const files = Object.entries(entries).map(([name, content]) => [name, typeof content === 'string' ? strToU8(content) : content])
  return zipSync(Object.fromEntries(files))
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const relations = (targets: Readonly<Record<string, readonly [type: string, target: string]>>): string => {
  const rows = Object.entries(targets).map(
    ([id, [type, target]]) =>
      `<Relationship Id="${id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/${type}" Target="${target}"/>`,
  )
  return `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${rows.join('')}</Relationships>`
}
const core = (title: string): string =>
  `<cp:coreProperties xmlns:cp="cp" xmlns:dc="dc"><dc:title>${escaped(title)}</dc:title></cp:coreProperties>`

/** Paragraphs of Word: of a heading `[style, text]`, of a list `['- ', text]`, a table as rows. */
type WordBlock = string | readonly [style: string, text: string] | readonly (readonly string[])[]

const run = (text: string) => `<w:r><w:t xml:space="preserve">${escaped(text)}</w:t></w:r>`
const paragraph = (text: string, properties = '') => `<w:p>${properties && `<w:pPr>${properties}</w:pPr>`}${run(text)}</w:p>`

function wordBlock(block: WordBlock): string {
  if (typeof block === 'string') return paragraph(block)
  const [first, second] = block
  if (typeof first === 'string' && typeof second === 'string') {
    return first === '- '
      ? paragraph(second, '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
      : paragraph(second, `<w:pStyle w:val="${first}"/>`)
  }
  const rows = block.filter((row) => typeof row !== 'string')
  return `<w:tbl>${rows.map((row) => `<w:tr>${row.map((cell) => `<w:tc>${paragraph(cell)}</w:tc>`).join('')}</w:tr>`).join('')}</w:tbl>`
}

/** A .docx with styles `H1` and `H2`, of which only the first says what it is: the second is based on a heading. */
export function sampleWord(title: string, blocks: readonly WordBlock[], more: Readonly<Record<string, string>> = {}): Uint8Array {
  return sampleZip({
    '[Content_Types].xml': '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    'docProps/core.xml': core(title),
    'word/styles.xml':
      '<w:styles xmlns:w="w"><w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="B2"><w:name w:val="Base"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style><w:style w:styleId="H2"><w:name w:val="Mine"/><w:basedOn w:val="B2"/></w:style></w:styles>',
    'word/document.xml': `<?xml version="1.0"?><w:document xmlns:w="w"><w:body>${blocks.map(wordBlock).join('')}</w:body></w:document>`,
    ...more,
  })
}

/** Cells as Excel stores them: a number may have a style, of `dates` and `shares`. */
type SheetCell = string | number | boolean | { readonly number: number; readonly style: 'date' | 'share' }

function sheetCell(cell: SheetCell, column: number, row: number, strings: string[]): string {
  const reference = `${String.fromCharCode(65 + column)}${row + 1}`
  if (typeof cell === 'number') return `<c r="${reference}"><v>${cell}</v></c>`
  if (typeof cell === 'boolean') return `<c r="${reference}" t="b"><v>${cell ? 1 : 0}</v></c>`
  if (typeof cell !== 'string') return `<c r="${reference}" s="${cell.style === 'date' ? 1 : 2}"><v>${cell.number}</v></c>`
  if (cell === '') return ''
  return `<c r="${reference}" t="s"><v>${strings.push(cell) - 1}</v></c>`
}

/** An .xlsx with these sheets. */
export function sampleSheets(sheets: Readonly<Record<string, readonly (readonly SheetCell[])[]>>): Uint8Array {
  const strings: string[] = []
  const names = Object.keys(sheets)
  const pages = Object.values(sheets).map((rows, at) => {
    const written = rows.map(
      (cells, row) => `<row r="${row + 1}">${cells.map((cell, column) => sheetCell(cell, column, row, strings)).join('')}</row>`,
    )
    return [`xl/worksheets/sheet${at + 1}.xml`, `<worksheet><sheetData>${written.join('')}</sheetData></worksheet>`]
  })
  return sampleZip({
    '[Content_Types].xml': '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    'xl/workbook.xml': `<workbook xmlns:r="r"><sheets>${names.map((name, at) => `<sheet name="${escaped(name)}" sheetId="${at + 1}" r:id="rId${at + 1}"/>`).join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relations(
      Object.fromEntries(names.map((_, at) => [`rId${at + 1}`, ['worksheet', `worksheets/sheet${at + 1}.xml`]])),
    ),
    'xl/styles.xml':
      '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="9"/></cellXfs></styleSheet>',
    ...Object.fromEntries(pages),
    'xl/sharedStrings.xml': `<sst>${strings.map((text) => `<si><t>${escaped(text)}</t></si>`).join('')}</sst>`,
  })
}

interface SampleSlide {
  readonly title: string
  readonly lines: readonly string[]
  readonly notes?: string
}

const shape = (type: string, lines: readonly string[]) =>
  `<p:sp><p:nvSpPr><p:nvPr><p:ph type="${type}"/></p:nvPr></p:nvSpPr><p:txBody>${lines.map((line) => `<a:p><a:r><a:t>${escaped(line)}</a:t></a:r></a:p>`).join('')}</p:txBody></p:sp>`

/** A .pptx with these slides. */
export function sampleSlides(title: string, slides: readonly SampleSlide[]): Uint8Array {
  const entries = slides.flatMap(({ title: name, lines, notes }, at) => [
    [
      `ppt/slides/slide${at + 1}.xml`,
      `<p:sld xmlns:p="p" xmlns:a="a">${shape('title', [name])}${shape('body', lines)}${shape('sldNum', [String(at + 1)])}</p:sld>`,
    ],
    ...(notes === undefined
      ? []
      : [
          [
            `ppt/slides/_rels/slide${at + 1}.xml.rels`,
            relations({ rId1: ['notesSlide', `../notesSlides/notesSlide${at + 1}.xml`] }),
          ],
          [`ppt/notesSlides/notesSlide${at + 1}.xml`, `<p:notes xmlns:p="p" xmlns:a="a">${shape('body', [notes])}</p:notes>`],
        ]),
  ])
  return sampleZip({
    '[Content_Types].xml': '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
    'docProps/core.xml': core(title),
    'ppt/presentation.xml': `<p:presentation xmlns:p="p" xmlns:r="r"><p:sldIdLst>${slides.map((_, at) => `<p:sldId id="${256 + at}" r:id="rId${at + 1}"/>`).join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relations(
      Object.fromEntries(slides.map((_, at) => [`rId${at + 1}`, ['slide', `slides/slide${at + 1}.xml`]])),
    ),
    ...Object.fromEntries(entries),
  })
}

/** Any of OpenDocument's formats: `body` is what stands in `office:body`. */
export function sampleOpenDocument(kind: 'text' | 'spreadsheet' | 'presentation', title: string, body: string): Uint8Array {
  return sampleZip({
    mimetype: `application/vnd.oasis.opendocument.${kind}`,
    'meta.xml': `<office:document-meta xmlns:dc="dc"><office:meta><dc:title>${escaped(title)}</dc:title></office:meta></office:document-meta>`,
    'content.xml': `<?xml version="1.0"?><office:document-content><office:body><office:${kind}>${body}</office:${kind}></office:body></office:document-content>`,
  })
}

/** An EPUB with these chapters, each the inside of a page's body. */
export function sampleBook(title: string, chapters: readonly string[]): Uint8Array {
  return sampleZip({
    mimetype: 'application/epub+zip',
    'META-INF/container.xml': '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
    'OEBPS/book.opf': `<package><metadata><dc:title>${escaped(title)}</dc:title></metadata><manifest>${chapters.map((_, at) => `<item id="c${at}" href="text/c%20${at}.xhtml" media-type="application/xhtml+xml"/>`).join('')}</manifest><spine>${chapters.map((_, at) => `<itemref idref="c${at}"/>`).join('')}</spine></package>`,
    ...Object.fromEntries(
      chapters.map((body, at) => [
        `OEBPS/text/c ${at}.xhtml`,
        `<html><head><title>Page ${at + 1}</title></head><body>${body}</body></html>`,
      ]),
    ),
  })
}

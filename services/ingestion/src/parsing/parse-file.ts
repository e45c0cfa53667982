import { type FileFamily, familyOf, type FileMime } from '@youworker/contracts/file-types'
import { detectFileType, HEAD_BYTES } from './detect-file-type.ts'
import type { ParsedDocument } from './parsed-document.ts'
import { type FileContent, type InnerFile, type ReadingOptions, ReadingScope } from './reading-scope.ts'
import { decodeText } from './text-encoding.ts'
import { Unreadable } from './unreadable.ts'

type Parse = (file: FileContent, scope: ReadingScope) => ParsedDocument | Promise<ParsedDocument>
type ParseText = (text: string) => ParsedDocument

/** One for each family of files. Each loads only what it needs. */
const PARSERS: Readonly<Record<FileFamily, () => Promise<Parse>>> = {
  text: async () => ofText((await import('./formats/parse-text.ts')).parseText),
  captions: async () => ofText((await import('./formats/parse-captions.ts')).parseCaptions),
  markdown: async () => ofText((await import('./formats/parse-markdown.ts')).parseMarkdown),
  html: async () => ofText((await import('./formats/parse-html.ts')).parseHtml),
  table: async () => ofText((await import('./formats/parse-csv.ts')).parseCsv),
  json: async () => ofText((await import('./formats/parse-json.ts')).parseJson),
  'json-lines': async () => ofText((await import('./formats/parse-json.ts')).parseJsonLines),
  code: async () => ofText((await import('./formats/parse-code.ts')).parseCode),
  xml: async () => ofText((await import('./formats/parse-xml.ts')).parseXml),
  rtf: async () => ofText((await import('./formats/parse-rtf.ts')).parseRtf),
  email: async () => (await import('./formats/parse-email.ts')).parseEmail,
  mailbox: async () => (await import('./formats/parse-email.ts')).parseMailbox,
  word: async () => (await import('./formats/parse-word.ts')).parseWord,
  sheets: async () => (await import('./formats/parse-sheets.ts')).parseSheets,
  slides: async () => (await import('./formats/parse-slides.ts')).parseSlides,
  'open-document': async () => (await import('./formats/parse-open-document.ts')).parseOpenDocument,
  epub: async () => (await import('./formats/parse-epub.ts')).parseEpub,
  zip: async () => (await import('./formats/parse-zip.ts')).parseZip,
  image: async () => (await import('./formats/parse-image.ts')).parseImage,
  recording: async () => unheard,
  pdf: async () => (await import('./formats/parse-pdf.ts')).parsePdf,
}

/** Reads a file whose `mime` `detectFileType` returned. Runs in the confined child; the reader throws `Unreadable`. */
export async function loadParser(
  mime: FileMime,
): Promise<(bytes: Uint8Array, options?: ReadingOptions) => Promise<ParsedDocument>> {
  const parse = await PARSERS[familyOf(mime)]()
  return async (bytes, options = DEFAULTS) => withText(await parse({ bytes, mime }, new ReadingScope(readInner, options)), mime)
}

const DEFAULTS: ReadingOptions = { languages: ['eng'], stepDone: () => {} }

async function readInner({ name, bytes, mime: declared }: InnerFile, scope: ReadingScope): Promise<ParsedDocument> {
  const check = await detectFileType(name, bytes.subarray(0, HEAD_BYTES), declared)
  if (!check.ok) throw new Unreadable(check.reason)
  const parse = await PARSERS[familyOf(check.mime)]()
  return withText(await parse({ bytes, mime: check.mime }, scope), check.mime)
}

function withText(document: ParsedDocument, mime: FileMime): ParsedDocument {
  const isPicture = familyOf(mime) === 'image'
  if (document.blocks.length === 0)
    throw new Unreadable(isPicture ? 'no text was recognised in the picture' : 'the file holds no text')
  return document
}

/** This process has no network; the service has what is said in a file of its own transcribed. */
const unheard: Parse = () => {
  throw new Unreadable('it is a recording, which is read only when it is sent as a file of its own')
}

const ofText =
  (parse: ParseText): Parse =>
  ({ bytes }) => {
    const text = decodeText(bytes)
    if (text === undefined) throw new Unreadable('the content is not text, or damaged; save it as UTF-8 text and send it again')
    return parse(text)
  }

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import createCore from 'tesseract.js-core/tesseract-core-simd-lstm.js'
import { Unreadable } from '../unreadable.ts'

const NEURAL = 1
const INPUT = '/input'
/** Where Tesseract writes it. */
const OUTPUT = '/image.png'
/** Per cent: what is less sure is a pattern of the picture and not a word. */
const SURE = 30
/** Per cent, of all words: below it a picture shows something else than text. */
const SURE_OF_TEXT = 45

const { resolve } = createRequire(import.meta.url)
type Recognition = Awaited<ReturnType<typeof load>>

let loaded: { readonly languages: string; readonly recognition: Promise<Recognition> } | undefined

/**
 * The paragraphs of a picture of a text: PNG, JPEG, WebP, TIFF, GIF or PNM. Throws `Unreadable` when it cannot be opened, or when there
 * is no data for a language.
 */
export async function recognizeText(image: Uint8Array, languages: readonly string[]): Promise<string[]> {
  return opened(image, languages, ({ api }) => {
    api.Recognize(null)
    return paragraphsOf(api.GetTSVText(0))
  })
}

/** The picture as PNG, whatever it was. Throws as {@link recognizeText} does. */
export async function openPicture(image: Uint8Array, languages: readonly string[]): Promise<Uint8Array> {
  return opened(image, languages, ({ core, api }) => {
    api.WriteImage(0)
    const png = core.FS.readFile(OUTPUT)
    core.FS.unlink(OUTPUT)
    return png
  })
}

async function opened<T>(image: Uint8Array, languages: readonly string[], work: (recognition: Recognition) => T): Promise<T> {
  const names = languages.join('+')
  if (loaded?.languages !== names) loaded = { languages: names, recognition: load(languages) }
  const recognition = await loaded.recognition
  const { core, api } = recognition
  core.FS.writeFile(INPUT, image)
  try {
    if (api.SetImageFile(1, 0) !== 0)
      throw new Unreadable('the picture is damaged or of a rare kind; save it as PNG and send it again')
    return work(recognition)
  } finally {
    api.Clear()
    core.FS.unlink(INPUT)
  }
}

async function load(languages: readonly string[]) {
  const wasmBinary = await readFile(resolve('tesseract.js-core/tesseract-core-simd-lstm.wasm'))
  const core = await createCore({ wasmBinary, print: () => {}, printErr: () => {} })
  for (const language of languages) core.FS.writeFile(`/${language}.traineddata`, await trainedData(language))
  const api = new core.TessBaseAPI()
  if (api.Init('/', languages.join('+'), NEURAL) !== 0) throw new Unreadable('the data for OCR is damaged; install it again')
  return { core, api }
}

async function trainedData(language: string): Promise<Uint8Array> {
  const name = `@tesseract.js-data/${language}`
  try {
    const path = resolve(`${name}/4.0.0_best_int/${language}.traineddata.gz`)
    return await promisify(gunzip)(await readFile(path))
  } catch (cause) {
    throw new Unreadable(`there is no data to read texts of pictures in "${language}" (INGEST__OCR_LANGUAGES); install ${name}`, {
      cause,
    })
  }
}

/** Columns of a row: level, page, block, paragraph, line, word, left, top, width, height, sureness, text. */
function paragraphsOf(table: string): string[] {
  const paragraphs = new Map<string, Map<string, string[]>>()
  let [sum, words] = [0, 0]
  for (const row of table.split('\n')) {
    const [level, , block, paragraph, line = '', , , , , , sure, text = ''] = row.split('\t')
    if (level !== '5' || text.trim() === '' || Number(sure) < SURE) continue
    sum += Number(sure)
    words += 1
    const key = `${block}/${paragraph}`
    const lines = paragraphs.get(key) ?? new Map<string, string[]>()
    paragraphs.set(key, lines.set(line, [...(lines.get(line) ?? []), text]))
  }
  if (words === 0 || sum / words < SURE_OF_TEXT) return []
  return [...paragraphs.values()].map((lines) => [...lines.values()].map((line) => line.join(' ')).join('\n'))
}
